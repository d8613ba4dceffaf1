// Where every value of a fused graph lies: inputs, outputs and weights in buffers of their own, everything between
// in a few arenas, at offsets that values share when they do not live at the same time.
//
// Why a few and not one: WebGPU forbids a dispatch to read and write one buffer, even at different places
// (section "usage scopes": a writable use excludes every other use). So a value never shares an arena with what the
// op that makes it reads; three arenas are enough for a residual chain.

import { lastUses } from "../../ir/evaluate.js";
import { findGraph, type Graph, type Module, type Op, present, type Value } from "../../ir/graph.js";
import { bindingAlignment, isPart, partOffset } from "../../ir/part.js";
import { nameValues, printModule } from "../../ir/print.js";
import { numbersPer } from "../../ir/tensor.js";
import { typeText } from "../../ir/type.js";
import { type ArenaItem, aligned, arenaItem, assignArenas } from "../../support/arenas.js";
import { bug } from "../../support/diagnostic.js";

/** Where a value's bytes are. Offsets are in bytes; `bytes` is the value's size, not rounded up. */
export type Place =
  | {
      readonly kind: "input" | "output";
      readonly name: string;
      readonly offset: number;
      readonly bytes: number;
    }
  /** A weight, or a constant that no kernel writes into its text: `op` makes it. */
  | { readonly kind: "constant"; readonly op: Op; readonly offset: number; readonly bytes: number }
  | { readonly kind: "arena"; readonly arena: number; readonly offset: number; readonly bytes: number };

/** Memory that one op needs between its own dispatches. */
export interface ScratchPlace {
  readonly arena: number;
  readonly offset: number;
  readonly bytes: number;
}

export interface MemoryPlan {
  readonly graph: Graph;
  /** The ops that run, in order: not constants, and not slices that are parts of a buffer. */
  readonly dispatched: readonly Op[];
  /** Bytes of each arena. */
  readonly arenas: readonly number[];
  /** Every value the graph's dispatches read or write. Slices that are parts of a buffer have their place in it. */
  readonly places: ReadonlyMap<Value, Place>;
  readonly scratch: ReadonlyMap<Op, readonly ScratchPlace[]>;
  /** Most bytes of arenas that values alive at one op need: no plan can do with fewer. */
  readonly peak: number;
}

export interface PlanOptions {
  /** Bytes an op needs between its own dispatches, from its implementation. */
  readonly scratch?: (op: Op) => readonly number[];
  /** Bytes that offsets are multiples of; what every device can bind at when left out. */
  readonly alignment?: number;
}

/** Bytes of a value as buffers hold it: bool takes four, c64 eight. The extents must be bound. */
export function bytesOf({ type }: Value): number {
  const size = type.shape.reduce(
    (n, extent) =>
      n * (extent.value ?? bug(`extent ${extent} has no value: dims are bound before memory is planned`)),
    1,
  );
  return size * (type.element === "f16" ? 2 : 4 * numbersPer(type.element));
}

/** Plans the graph. Greedy: larger things first, each at the lowest offset that is free while it lives. */
export function planMemory(module: Module, graphName: string, options: PlanOptions = {}): MemoryPlan {
  const graph = findGraph(module, graphName) ?? bug(`no graph @${graphName}`);
  const { alignment = bindingAlignment } = options;
  const last = lastUses(graph);
  const places = new Map<Value, Place>();
  graph.inputs.forEach((value, i) => {
    places.set(value, { kind: "input", name: value.hint ?? String(i), offset: 0, bytes: bytesOf(value) });
  });
  const outputs = new Map<Value, string>();
  graph.outputs.forEach((value, i) => {
    if (!outputs.has(value)) outputs.set(value, graph.outputNames[i]!);
  });
  const roots = partRoots(graph);
  const items = new Map<Value, ArenaItem>();
  const scratchItems = new Map<Op, ArenaItem[]>();
  graph.ops.forEach((op, at) => {
    if (isConstantOp(op)) {
      for (const value of op.results)
        places.set(value, { kind: "constant", op, offset: 0, bytes: bytesOf(value) });
      return;
    }
    if (roots.has(op.results[0]!)) return;
    for (const value of op.results) {
      const name = outputs.get(value);
      if (name !== undefined) places.set(value, { kind: "output", name, offset: 0, bytes: bytesOf(value) });
      else items.set(value, arenaItem(bytesOf(value), at, Math.max(at, lastUse(value, last, roots))));
    }
    scratchItems.set(
      op,
      (options.scratch?.(op) ?? []).map((bytes) => arenaItem(bytes, at, at)),
    );
  });
  keepApart(graph, items, scratchItems, roots);
  const all = [...items.values(), ...[...scratchItems.values()].flat()];
  const arenas = assignArenas(all, alignment);
  for (const [value, item] of items)
    places.set(value, { kind: "arena", arena: item.arena, offset: item.offset, bytes: item.bytes });
  for (const op of graph.ops) {
    const root = roots.get(op.results[0]!);
    if (root === undefined) continue;
    const base = places.get(root.value)!;
    places.set(op.results[0]!, {
      ...base,
      offset: base.offset + root.offset,
      bytes: bytesOf(op.results[0]!),
    });
  }
  return {
    graph,
    dispatched: graph.ops.filter((op) => !isConstantOp(op) && !roots.has(op.results[0]!)),
    arenas,
    places,
    scratch: new Map(
      [...scratchItems].map(([op, list]) => [
        op,
        list.map(({ arena, offset, bytes }) => ({ arena, offset, bytes })),
      ]),
    ),
    peak: peakOf(all, graph.ops.length, alignment),
  };
}

/** Ops that make no dispatch: their values are there before the graph runs. */
function isConstantOp(op: Op): boolean {
  return op.operands.length === 0 && op.name !== "call";
}

interface Root {
  readonly value: Value;
  readonly offset: number;
}

/** For every slice that is a part of a buffer: the value whose memory it lies in, and where. */
function partRoots(graph: Graph): Map<Value, Root> {
  const roots = new Map<Value, Root>();
  for (const op of graph.ops) {
    if (!isPart(op) || graph.outputs.includes(op.results[0]!)) continue;
    const [operand] = op.operands as [Value];
    const outer = roots.get(operand) ?? { value: operand, offset: 0 };
    roots.set(op.results[0]!, { value: outer.value, offset: outer.offset + partOffset(op)! });
  }
  return roots;
}

/** The last op that reads a value or a part of it. */
function lastUse(value: Value, last: ReadonlyMap<Value, number>, roots: ReadonlyMap<Value, Root>): number {
  let at = last.get(value) ?? -1;
  for (const [part, root] of roots) if (root.value === value) at = Math.max(at, last.get(part) ?? -1);
  return at;
}

/** What an op writes (results and scratch) shares no arena with what it reads. */
function keepApart(
  graph: Graph,
  items: ReadonlyMap<Value, ArenaItem>,
  scratch: ReadonlyMap<Op, readonly ArenaItem[]>,
  roots: ReadonlyMap<Value, Root>,
): void {
  for (const op of graph.ops) {
    if (roots.has(op.results[0]!)) continue;
    const read = present(op).map((v) => items.get(roots.get(v)?.value ?? v));
    const results = op.results.map((v) => items.get(v));
    const between = scratch.get(op) ?? [];
    // Scratch is written by one dispatch of the op and read by another that writes results.
    for (const a of [...results, ...between])
      for (const b of [...read, ...(between.includes(a as ArenaItem) ? results : between)])
        if (a !== undefined && b !== undefined && a !== b) {
          a.apart.add(b);
          b.apart.add(a);
        }
  }
}

function peakOf(items: readonly ArenaItem[], ops: number, alignment: number): number {
  let peak = 0;
  for (let at = 0; at < ops; at++) {
    const alive = items.filter(({ from, to }) => from <= at && at <= to);
    peak = Math.max(
      peak,
      alive.reduce((sum, { bytes }) => sum + aligned(bytes, alignment), 0),
    );
  }
  return peak;
}

/** The module's text with every value's place under the op that makes it; comments, so it parses back. */
export function printPlan(module: Module, plan: MemoryPlan): string {
  const { graph, arenas, places, peak, scratch } = plan;
  const names = nameValues(graph);
  const text = printModule(
    { ...module, graphs: [graph] },
    {
      annotate(op) {
        const lines = op.results.map((value) => {
          const place = places.get(value);
          return place === undefined
            ? ""
            : `${names.get(value)} ${typeText(value.type)} in ${placeText(place)}`;
        });
        const between = (scratch.get(op) ?? []).map(
          (s) => `between its dispatches: ${placeText({ kind: "arena", ...s })}`,
        );
        return isConstantOp(op) ? [] : [...lines, ...between];
      },
    },
  );
  const total = arenas.reduce((a, b) => a + b, 0);
  return `; ${total} bytes in ${arenas.length} arenas (${arenas.join(", ")}); at most ${peak} alive at once\n${text}`;
}

function placeText(place: Place): string {
  const range = `${place.offset} .. ${place.offset + place.bytes}`;
  if (place.kind === "arena") return `arena ${place.arena} at ${range}`;
  return place.kind === "constant" ? "a constant" : `${place.kind} ${place.name} at ${range}`;
}
