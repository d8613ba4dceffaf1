// Memory plans of random fused graphs: nothing alive is overwritten, offsets can be bound, and no dispatch reads
// and writes one buffer.

import { expect, test } from "vitest";
import { lastUses } from "../../src/ir/evaluate.js";
import { findGraph, type Module, present, type Value } from "../../src/ir/graph.js";
import { parseModule } from "../../src/ir/parse.js";
import { printModule } from "../../src/ir/print.js";
import { fuse } from "../../src/passes/fuse.js";
import { type MemoryPlan, type Place, planMemory, printPlan } from "../../src/passes/memory/plan-memory.js";
import { runPasses } from "../../src/passes/pass.js";
import { removeDead } from "../../src/passes/remove-dead.js";
import { randomGraph } from "./random-graphs.js";

const fusedGraph = (seed: number): Module =>
  runPasses(randomGraph(seed, 5 + (seed % 30)), [removeDead, fuse({ parts: seed % 2 === 0 })]);

const scratch = (op: { name: string }): readonly number[] => (op.name === "softmax" ? [100, 300] : []);

/** The buffer a place is in. */
function bufferOf(place: Place): string {
  if (place.kind === "arena") return `arena ${place.arena}`;
  return place.kind === "constant" ? "constant" : `${place.kind} ${place.name}`;
}

/** Runs the plan on marked memory: every dispatch must find what its operands' writers left. */
function replay(plan: MemoryPlan): string[] {
  const memory = plan.arenas.map((bytes) => new Array<unknown>(bytes));
  const problems: string[] = [];
  const touch = (
    place: Place | undefined,
    use: (cells: unknown[], from: number, to: number) => void,
  ): void => {
    if (place?.kind === "arena") use(memory[place.arena]!, place.offset, place.offset + place.bytes);
  };
  const rootOf = (value: Value): Value => {
    const op = plan.graph.ops.find((o) => o.results.includes(value));
    return op !== undefined && !plan.dispatched.includes(op) && op.operands.length > 0
      ? rootOf(op.operands[0]!)
      : value;
  };
  for (const op of plan.dispatched) {
    for (const value of present(op))
      touch(plan.places.get(value), (cells, from, to) => {
        const root = rootOf(value);
        for (let i = from; i < to; i++)
          if (cells[i] !== root) {
            problems.push(`${op.name} reads what is not there any more`);
            break;
          }
      });
    for (const { arena, offset, bytes } of plan.scratch.get(op) ?? [])
      memory[arena]!.fill("scratch", offset, offset + bytes);
    for (const value of op.results)
      touch(plan.places.get(value), (cells, from, to) => {
        if (to > cells.length) problems.push("beyond the arena");
        cells.fill(value, from, to);
      });
  }
  return problems;
}

test("every operand is where its op left it, at every dispatch", () => {
  for (let seed = 0; seed < 50; seed++) {
    const module = fusedGraph(seed);
    const plan = planMemory(module, "g", { scratch });
    expect(replay(plan), `seed ${seed}\n${printPlan(module, plan)}`).toEqual([]);
  }
});

test("no dispatch reads and writes one buffer; offsets are multiples of 256", () => {
  for (let seed = 0; seed < 50; seed++) {
    const plan = planMemory(fusedGraph(seed), "g", { scratch });
    for (const op of plan.dispatched) {
      const place = (value: Value): Place => plan.places.get(value)!;
      const read = new Set(present(op).map((value) => bufferOf(place(value))));
      for (const value of op.results) expect(read.has(bufferOf(place(value))), `seed ${seed}`).toBe(false);
      const between = (plan.scratch.get(op) ?? []).map(({ arena }) => `arena ${arena}`);
      for (const buffer of between) expect(read.has(buffer)).toBe(false);
      for (const value of [...present(op), ...op.results]) expect(place(value).offset % 256).toBe(0);
    }
    for (const bytes of plan.arenas) expect(bytes % 256).toBe(0);
  }
});

test("arenas hold little more than what is alive at once", () => {
  let [used, needed, apart] = [0, 0, 0];
  for (let seed = 0; seed < 50; seed++) {
    const module = fusedGraph(seed);
    const plan = planMemory(module, "g");
    const last = lastUses(findGraph(module, "g")!);
    expect(last.size).toBeGreaterThan(0);
    const total = plan.arenas.reduce((a, b) => a + b, 0);
    expect(total).toBeGreaterThanOrEqual(plan.peak);
    used += total;
    needed += plan.peak;
    apart += [...plan.places.values()].reduce(
      (sum, p) => sum + (p.kind === "arena" ? Math.ceil(p.bytes / 256) * 256 : 0),
      0,
    );
  }
  // Values in buffers of their own would take `apart`.
  expect(used / needed).toBeLessThan(1.35);
  expect(used / apart).toBeLessThan(0.85);
});

test("the plan is printed as comments of IR text", () => {
  const module = parseModule(`graph @g(%time: f32[1, 128], %x: f32[1, 3, 64]) {
  %w = weight {name = "w", shape = [64, 64]} : f32[64, 64]
  %a = slice %time {axis = 1, start = 64, length = 64} : f32[1, 64]
  %0 = linear %x, %w : f32[1, 3, 64]
  %1 = softmax %0 {axis = 2} : f32[1, 3, 64]
  %2 = linear %1, %w : f32[1, 3, 64]
  %y = mul %2, %a : f32[1, 3, 64]
  return y = %y
}
`);
  const text = printPlan(module, planMemory(module, "g", { scratch }));
  expect(text).toMatchInlineSnapshot(`
    "; 2304 bytes in 3 arenas (768, 768, 768); at most 2304 alive at once
    graph @g(%time: f32[1, 128], %x: f32[1, 3, 64]) {
      %w = weight {name = "w", shape = [64, 64]} : f32[64, 64]
      %a = slice %time {axis = 1, start = 64, length = 64} : f32[1, 64]
      ; %a f32[1, 64] in input time at 256 .. 512
      %0 = linear %x, %w : f32[1, 3, 64]
      ; %0 f32[1, 3, 64] in arena 0 at 0 .. 768
      %1 = softmax %0 {axis = 2} : f32[1, 3, 64]
      ; %1 f32[1, 3, 64] in arena 1 at 0 .. 768
      ; between its dispatches: arena 2 at 512 .. 612
      ; between its dispatches: arena 2 at 0 .. 300
      %2 = linear %1, %w : f32[1, 3, 64]
      ; %2 f32[1, 3, 64] in arena 0 at 0 .. 768
      %y = mul %2, %a : f32[1, 3, 64]
      ; %y f32[1, 3, 64] in output y at 0 .. 768
      return y = %y
    }
    "
  `);
  expect(printModule(parseModule(text))).toBe(printModule(module));
});
