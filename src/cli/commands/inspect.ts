// dlmc inspect MODEL: sizes and graphs; --resolved, --parameters, --schedule, --traffic, --memory for more.

import { type Command, Option } from "commander";
import {
  type Inspection,
  inspect,
  inspectSchedule,
  parameters,
  resolved,
  type ScheduleInspection,
} from "../../api/inspect.js";
import {
  evenly,
  type PositionMap,
  plotMapSvg,
  plotMapText,
  plotSvg,
  plotText,
} from "../../diffusion/index.js";
import { type ExitCode, exitCodes, fail } from "../../support/diagnostic.js";
import { integer, type WeightFlags, withWeights } from "../flags.js";
import { print, printJson, printProblems } from "../print.js";
import { writeText } from "../write-text.js";
import { showMemory, showTraffic } from "./inspect-wgsl.js";

interface Flags extends WeightFlags {
  readonly resolved?: true;
  readonly parameters?: true;
  readonly schedule?: true;
  readonly traffic?: true;
  readonly memory?: true;
  readonly svg?: string;
  readonly length?: number;
  readonly steps?: number;
  readonly json?: true;
}

const views = ["resolved", "parameters", "schedule", "traffic", "memory"];

/** A flag that says what to print, of which there is one at a time. */
function oneOf(view: string, help: string): Option {
  return new Option(`--${view}`, help).conflicts(views.filter((other) => other !== view));
}

export function addInspect(program: Command, finish: (code: ExitCode) => void): void {
  const command = program
    .command("inspect <model>")
    .description(
      "print the facts of a description: sizes, parameters, graphs, noise schedule, bytes moved and held",
    )
    .addOption(oneOf("resolved", "the description with every default filled in"))
    .addOption(oneOf("parameters", "canonical names and shapes of the parameters"))
    .addOption(oneOf("schedule", "the noise schedule as sampled, one row per step, and its curve"))
    .addOption(oneOf("traffic", "wgsl: bytes that each kernel of a step moves, against the least possible"))
    .addOption(oneOf("memory", "wgsl: arenas, and where and how long each value lies in them"))
    .option("--svg <file>", "with --schedule: also draw the curve into an SVG file")
    .option("--length <n>", "sequence length", integer(1))
    .option("--steps <n>", "with --schedule: number of sampling steps", integer(1))
    .option("--json", "print as JSON (schema/inspect.schema.json)");
  withWeights(command).action((model: string, flags: Flags) => {
    if (flags.svg !== undefined && !flags.schedule)
      fail("flags/svg", "--svg draws a noise schedule", { help: "add --schedule" });
    const options = { model, warn: printProblems, ...flags };
    const json = flags.json === true;
    if (flags.resolved) print(resolved(options));
    else if (flags.parameters) showParameters(options, json);
    else if (flags.traffic) showTraffic(options, json);
    else if (flags.memory) showMemory(options, json);
    else if (flags.schedule) showSchedule(inspectSchedule(options), flags);
    else if (json) printJson(inspect(options));
    else showFacts(inspect(options));
    finish(exitCodes.ok);
  });
}

function showFacts(facts: Inspection): void {
  print(
    `${facts.name}: ${facts.part}, length ${facts.length}, ${facts.parameters.numbers} parameters in ${facts.parameters.tensors} tensors`,
  );
  if (facts.cache !== undefined)
    print(`settled blocks of ${facts.cache.block} are kept: ${facts.cache.bytes} bytes a text`);
  for (const graph of facts.graphs) {
    print(`\n@${graph.name}, ${graph.ops} ops`);
    for (const input of graph.inputs) print(`  in   ${input}`);
    for (const output of graph.outputs) print(`  out  ${output}`);
  }
}

function showParameters(options: Parameters<typeof parameters>[0], json: boolean): void {
  const declared = parameters(options);
  if (json) {
    printJson(declared.map(({ name, shape, pointer }) => ({ name, shape, pointer })));
    return;
  }
  const width = declared.reduce((most, { name }) => Math.max(most, name.length), 0);
  for (const { name, shape } of declared) print(`${name.padEnd(width)}  [${shape.join(", ")}]`);
}

function showSchedule(schedule: ScheduleInspection, flags: Flags): void {
  const { levels, curve, map } = schedule;
  const svg = map ? plotMapSvg(map) : curve && plotSvg(curve);
  if (flags.svg !== undefined && svg !== undefined) writeText(flags.svg, svg);
  if (flags.json) {
    printJson({
      levels,
      ...(schedule.plan && { steps: schedule.plan.rows, final: schedule.plan.final }),
    });
    return;
  }
  if (map) {
    showPositions(levels, map);
    return;
  }
  const columns = [
    ["t", "t"],
    ["alpha_bar", "alphaBar"],
    ["sigma^2", "sigma2"],
    ["gamma", "gamma"],
    ["masks", "masks"],
    ["random", "random"],
    ["kept", "kept"],
    ["least", "least"],
    ["most", "most"],
    ["forth", "forth"],
    ["back", "back"],
  ] as const;
  const shown = columns.filter(([, key]) => levels[0]?.[key] !== undefined);
  print(`${"index".padStart(7)}${shown.map(([name]) => name.padStart(13)).join("")}`);
  for (const row of levels) {
    const numbers = shown.map(([, key]) => (row[key]?.toPrecision(6) ?? "").padStart(13));
    print(`${String(row.index ?? "").padStart(7)}${numbers.join("")}`);
  }
  if (curve) print(`\n${plotText(curve)}`);
}

/** Some of the positions side by side: where each stands, and its alpha_bar. */
function showPositions(levels: ScheduleInspection["levels"], map: PositionMap): void {
  const shown = evenly(map.signal.length, 4);
  const time = levels[0]?.index === undefined ? "t" : "index";
  const title = (p: number): string => `of position ${p}`.padStart(24);
  print(`   step${shown.map(title).join("")}`);
  print(`${" ".repeat(7)}${shown.map(() => `${time.padStart(10)}${"alpha_bar".padStart(14)}`).join("")}`);
  levels.forEach((row, k) => {
    const cells = shown.map((p) => {
      const { t, index, alphaBar } = row.positions?.[p] ?? row;
      return `${(index === undefined ? t.toPrecision(6) : String(index)).padStart(10)}${alphaBar.toPrecision(6).padStart(14)}`;
    });
    print(`${String(k).padStart(7)}${cells.join("")}`);
  });
  print(`\n${plotMapText(map)}`);
}
