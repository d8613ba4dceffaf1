// dlmc inspect --traffic and --memory: tables of what a WGSL bundle moves and where its values lie.

import {
  inspectMemory,
  inspectTraffic,
  type MemoryInspection,
  type TrafficInspection,
  type WgslInspectOptions,
} from "../../api/inspect-wgsl.js";
import { print, printJson } from "../print.js";

/** Columns of the drawing of lifetimes. */
const columns = 40;

const bytes = (count: number): string => String(count).padStart(12);

export function showTraffic(options: WgslInspectOptions, json: boolean): void {
  const found = inspectTraffic(options);
  if (json) printJson(found);
  else for (const graph of found.traffic) printTraffic(graph);
}

function printTraffic({
  graph,
  rows,
  bytesRead,
  bytesWritten,
  minimum,
  ratio,
}: TrafficInspection["traffic"][number]): void {
  const width = Math.max(7, ...rows.map(({ kernels }) => kernels.join(" ").length));
  print(
    `@${graph}: ${bytesRead + bytesWritten} bytes a run, at least ${minimum}: ${ratio.toFixed(2)} times the minimum\n`,
  );
  print(
    `  ${"kernels".padEnd(width)}${["read", "written", "minimum"].map((name) => name.padStart(12)).join("")}`,
  );
  for (const row of rows)
    print(
      `  ${row.kernels.join(" ").padEnd(width)}${bytes(row.bytesRead)}${bytes(row.bytesWritten)}${bytes(row.minimum)}  ${row.pointer}`,
    );
  print(`  ${"".padEnd(width)}${bytes(bytesRead)}${bytes(bytesWritten)}${bytes(minimum)}\n`);
}

export function showMemory(options: WgslInspectOptions, json: boolean): void {
  const found = inspectMemory(options);
  if (json) {
    printJson(found);
    return;
  }
  const total = found.arenas.reduce((sum, size) => sum + size, 0);
  print(
    `weights ${found.weights} bytes; ${found.arenas.length} arenas, ${total} bytes (${found.arenas.join(", ")})`,
  );
  for (const graph of found.memory) printMemory(graph);
}

function printMemory({ graph, dispatches, values, peak, rows }: MemoryInspection["memory"][number]): void {
  print(`\n@${graph}, ${dispatches} dispatches: values of ${values} bytes, at most ${peak} alive at once`);
  if (rows.length === 0) return;
  const width = Math.max(...rows.map(({ kernel }) => kernel.length));
  const column = (dispatch: number): number =>
    Math.min(columns - 1, Math.floor((dispatch * columns) / Math.max(1, dispatches)));
  for (const { kernel, arena, offset, bytes: size, first, last } of rows) {
    const [from, to] = [column(first), column(last)];
    const life = `${" ".repeat(from)}${"#".repeat(to - from + 1)}`.padEnd(columns);
    print(
      `  ${kernel.padEnd(width)} |${life}| arena ${arena} at ${String(offset).padStart(9)}, ${size} bytes`,
    );
  }
}
