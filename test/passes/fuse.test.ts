// Over random graphs: fusing keeps every value, running it again changes nothing, every group is one that a kernel
// can compute, and none binds more buffers than there are.

import { expect, test } from "vitest";
import { groupProblem, lowerGroup } from "../../src/emit-wgsl/group.js";
import { defaultLimits, noFeatures } from "../../src/emit-wgsl/limits.js";
import { evaluate } from "../../src/ir/evaluate.js";
import { findGraph } from "../../src/ir/graph.js";
import { printModule } from "../../src/ir/print.js";
import { seededInputs } from "../../src/ir/seeded.js";
import { fuse, isFused } from "../../src/passes/fuse.js";
import { runPasses } from "../../src/passes/pass.js";
import { removeDead } from "../../src/passes/remove-dead.js";
import { randomGraph } from "./random-graphs.js";

const seeds = Array.from({ length: 60 }, (_, i) => i);

test("values are kept, and a second run finds nothing", () => {
  for (const seed of seeds) {
    const module = runPasses(randomGraph(seed, 4 + (seed % 25)), [removeDead]);
    const fused = runPasses(module, [fuse()]);
    expect(printModule(runPasses(fused, [fuse()])), `seed ${seed}`).toBe(printModule(fused));
    const inputs = seededInputs(module, module.graphs[0]!, new Map());
    const before = evaluate(module, "g", inputs);
    const after = evaluate(fused, "g", inputs);
    expect(
      after.map(({ data }) => [...data]),
      `seed ${seed}`,
    ).toEqual(before.map(({ data }) => [...data]));
  }
});

test("every group is one kernel's work, with buffers to spare", () => {
  let groups = 0;
  for (const seed of seeds) {
    const fused = runPasses(randomGraph(seed, 4 + (seed % 25)), [removeDead, fuse()]);
    for (const graph of fused.graphs.filter(isFused)) {
      groups++;
      expect(groupProblem(graph), `seed ${seed}\n${printModule(fused)}`).toBeUndefined();
      for (const kernel of lowerGroup(graph, { limits: defaultLimits, features: noFeatures }).kernels)
        expect(kernel.bindings.length).toBeLessThanOrEqual(8);
    }
  }
  expect(groups).toBeGreaterThan(100);
});

test("few ops are left alone: most of a random graph is in groups", () => {
  let [before, after] = [0, 0];
  for (const seed of seeds) {
    const module = runPasses(randomGraph(seed, 20), [removeDead]);
    const fused = findGraph(runPasses(module, [fuse()]), "g")!;
    const works = (ops: readonly { operands: readonly unknown[] }[]) =>
      ops.filter((op) => op.operands.length > 0);
    before += works(module.graphs[0]!.ops).length;
    after += works(fused.ops).length;
  }
  // One kernel per two to three ops; without fusion the two would be equal.
  expect(after / before).toBeLessThan(0.55);
});
