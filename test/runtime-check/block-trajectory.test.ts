// A generation that keeps settled positions, checked as it ships: an honest one agrees in every call; of one with a
// mistake, the block and the op are named, and of one that keeps the wrong rows the session.
import { expect, test } from "vitest";
import { describe, lowerBound } from "../../src/compile.js";
import { planTokens, type TokenPlan } from "../../src/diffusion/discrete/token-plan.js";
import type { SamplerParts } from "../../src/diffusion/plan.js";
import type { Module } from "../../src/ir/graph.js";
import { runPasses } from "../../src/passes/pass.js";
import { type BlockGraphs, hostBlocks } from "../../src/runtime/discrete/host-blocks.js";
import { checkBlockTrajectory } from "../../src/runtime-check/block-trajectory.js";
import type { Candidate } from "../../src/runtime-check/candidate.js";
import { checkTokenTrajectory } from "../../src/runtime-check/token-trajectory.js";
import { targets } from "../../src/targets.js";
import { syntheticStore } from "../../src/weights/synthetic.js";
import { again, float32Candidate } from "./float32.js";

const attention = { kind: "attention", heads: 2, mask: { kind: "causal" } };
/** Of 11 positions a convolution keeps the last rows, of 27 it has a term of @prefix. */
const convolution = { kind: "long_conv", filter: { kind: "implicit_mlp", width: 8, span: "causal" } };

function model(sampler: object, blocks: object, length = 11): { module: Module; plan: TokenPlan } {
  const text = JSON.stringify({
    version: 1,
    state_space: { kind: "absorbing", vocab_size: 11, seq_len: length },
    embedding: { dim: 8 },
    noise_schedule: { family: "log_linear" },
    timesteps: { kind: "linspace", num_steps: 3 },
    blocks: [{ mixer: attention }, { mixer: convolution }],
    conditioning: { kind: "fixed_positions" },
    sampler: { kind: "ancestral", blocks: { length: 4, cache: "exact", ...blocks }, ...sampler },
  });
  const { description } = describe(text, "model.json");
  const { module } = lowerBound(description, "model.json", (_, parameters) => syntheticStore(parameters, 5));
  return { module, plan: planTokens(description as unknown as SamplerParts) };
}

test.each([
  ["from the start", {}, {}],
  ["behind a prompt", {}, { length: 3, from: "prompt" }],
  ["guided", { guidance: { scale: 1 } }, {}],
])("an honest float32 session agrees in every call, %s", async (_, sampler, blocks) => {
  const { module, plan } = model(sampler, blocks);
  const report = await checkBlockTrajectory(module, float32Candidate(), { plan, batch: 2, seed: 3 });
  expect(report.firstBlock).toBeUndefined();
  expect(report.agrees).toBe(true);
  // Three calls a block, of two blocks at least.
  expect(report.steps.length).toBeGreaterThanOrEqual(2 * 3);
  for (const { forced, free } of report.steps)
    for (const check of [forced, free]) {
      expect(check.error).toBeGreaterThan(0);
      expect(check.error).toBeLessThan(20 * check.predicted);
    }
});

test("an op that is wrong from the second block on is named, with its block", async () => {
  const { module, plan } = model({}, {});
  const wrong = float32Candidate((op, operands, results) =>
    op.name === "softmax" && op.results[0]!.hint === "attention_weights" && isLater(results[0]!.data)
      ? again(op, { x: { ...operands.x!, data: operands.x!.data.map((v) => 1.01 * v) } })
      : undefined,
  );
  const report = await checkBlockTrajectory(module, wrong, { plan, seed: 3 });
  expect(report.agrees).toBe(false);
  expect(report.firstBlock).toMatchObject({
    position: 4,
    size: 4,
    settling: false,
    graph: "block",
    op: "softmax",
    pointer: "/blocks/0/mixer",
  });
  expect(report.steps.find(({ forced }) => forced.status === "fail")!.step).toBe(3);
});

/** Whether any weight is that of a kept position: the first 8 of 12 keys. */
function isLater(weights: Float64Array): boolean {
  return weights.some((weight, i) => i % 12 < 8 && weight > 0);
}

test("a session that keeps the wrong rows is told from graphs that are wrong", async () => {
  const { module, plan } = model({}, { length: 9 }, 27);
  const honest = float32Candidate();
  const forgetful: Candidate = {
    ...honest,
    async openBlocks(of, batch, count) {
      const inputs = ["block", "prefix"].flatMap((name) =>
        of.graphs
          .find((graph) => graph.name === name)!
          .inputs.map(({ hint, type }) => ({
            name: hint!,
            element: type.element,
            shape: type.shape.map((extent) => extent.value ?? batch),
          })),
      );
      const run: BlockGraphs["run"] = async (name, feeds) => {
        const graph = of.graphs.find((each) => each.name === name)!;
        const given = graph.inputs.map(({ hint }) => {
          const { element, shape } = inputs.find((port) => port.name === hint)!;
          // What is kept of keys stays what it was in the beginning.
          const numbers = hint === "cache.k.0" ? new Float64Array(feeds[hint]!.length) : feeds[hint!]!;
          return { element, shape, data: Float64Array.from(numbers) };
        });
        const outputs = await honest.run(of, name, given);
        return Object.fromEntries(graph.outputNames.map((output, i) => [output, outputs[i]!.data]));
      };
      const zeros = (n: number): Float64Array => new Float64Array(n);
      return Array.from({ length: count }, () => hostBlocks({ batch, inputs, hasPrefix: true, zeros, run }));
    },
  };
  const report = await checkBlockTrajectory(module, forgetful, { plan, seed: 3 });
  expect(report.agrees).toBe(false);
  expect(report.firstBlock).toEqual({ position: 9, size: 9, settling: false, graph: "session" });
  expect(report.steps.every(({ forced }) => forced.status !== "fail")).toBe(true);
});

test("what @filters makes when a model is loaded is handed on, with a cache and without", async () => {
  const { module, plan } = model({}, { length: 9 }, 27);
  const planned = runPasses(module, targets.wgsl.pipeline({ spectra: "load" }));
  expect(planned.graphs.map(({ name }) => name)).toContain("filters");
  for (const trajectory of [checkBlockTrajectory, checkTokenTrajectory])
    expect((await trajectory(planned, float32Candidate(), { plan, seed: 3 })).agrees).toBe(true);
});
