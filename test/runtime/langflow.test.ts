// LangFlow's trajectory through the driver, with a network that answers what upstream's network answered:
// the grid, the coefficients, the number of calls and where the tokens come from are checked end to end.

import { expect, it } from "vitest";
import { planSampler } from "../../src/diffusion/plan.js";
import { generate } from "../../src/runtime/driver.js";
import { argmaxRows } from "../../src/runtime/margins.js";
import type { StepRunner } from "../../src/runtime/step-runner.js";
import { golden, worstAbsolute } from "../diffusion/golden.js";

const tensor = golden("langflow-a");
const weight = golden("langflow-a", "weights");
const [length, dim, vocabulary] = [8, 16, 11];
const size = length * dim;

it("walks upstream's states to upstream's tokens", async () => {
  const [z, x0, lastLogits] = [tensor("traj.z.f64"), tensor("traj.x0.f64"), tensor("traj.logits_last.f64")];
  const told: number[] = [];
  const network: StepRunner = {
    length,
    dim,
    vocabulary,
    embed: () => Promise.reject(new Error("nothing is given")),
    async step({ x, row }) {
      told.push(row.level);
      const answer = x0.subarray(row.step * size, (row.step + 1) * size);
      const next = answer.map((value, k) => row.a * value + row.b * x[k]!);
      return { x: next, x0: answer, tokens: new Int32Array(length) };
    },
    async denoise({ x, previousX0, point }) {
      told.push(point.level);
      expect(worstAbsolute(x, z.subarray(7 * size))).toBeLessThan(1e-9);
      expect(previousX0).toEqual(x0.subarray(6 * size, 7 * size));
      return { logits: lastLogits, tokens: argmaxRows(lastLogits, vocabulary) };
    },
    async dispose() {},
  };
  const plan = planSampler(
    {
      noise_schedule: { family: "gumbel_quantile" },
      timesteps: { kind: "quantile", num_steps: 8 },
      time_conditioning: { input: "gamma" },
      prediction_type: { x0_from: "softmax_embedding" },
      sampler: { kind: "ddim", eta: 0 },
    },
    { constants: { loc: weight("proposal.loc")[0]!, scale: weight("proposal.scale")[0]! } },
  );
  const start = tensor("draw.z_init");
  let k = 0;
  for await (const state of generate(network, { plan, noise: () => start })) {
    if (state.done) {
      expect(Array.from(state.tokens)).toEqual(Array.from(tensor("out.tokens.f64")));
      continue;
    }
    k += 1;
    // The grid's first gamma is known to 1e-10 (rounding of q = 1 - 1e-5); states of size 3 follow it.
    expect(worstAbsolute(state.x, z.subarray(k * size, (k + 1) * size))).toBeLessThan(1e-9);
  }
  expect(k).toBe(7);
  expect(worstAbsolute(told, tensor("traj.gamma.f64"))).toBeLessThan(1e-10);
});
