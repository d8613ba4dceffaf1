// A whole generation of a self-conditioned network of tokens: a candidate that forgets its previous logits is right in the
// first step of every block and wrong in all others.
import { expect, test } from "vitest";
import { planTokens } from "../../src/diffusion/index.js";
import { parseModule } from "../../src/ir/parse.js";
import { checkTokenTrajectory } from "../../src/runtime-check/token-trajectory.js";
import { float32Candidate, randomTensor, weightsOf } from "./float32.js";

const [length, vocabulary, steps] = [6, 9, 3];
const text = `dim B >= 1

graph @denoise(%tokens: i32[B, 6], %self_cond_logits: f32[B, 6, 9], %self_cond_mask: bool[B], %self_cond_scale: f32[B]) {
  %e = weight {name = "e", shape = [9, 4]} : f32[9, 4]
  %x = take %e, %tokens : f32[B, 6, 4]
  %scale = reshape %self_cond_scale {shape = [B, 1, 1]} : f32[B, 1, 1]
  %read = mul %self_cond_logits, %scale : f32[B, 6, 9]
  %p = softmax %read {axis = 2} : f32[B, 6, 9]
  %x0 = matmul %p, %e : f32[B, 6, 4]
  %mask = reshape %self_cond_mask {shape = [B, 1, 1]} : bool[B, 1, 1]
  %zero = literal {values = [0], shape = [1]} : f32[1]
  %previous = where %mask, %x0, %zero : f32[B, 6, 4]
  %h = add %x, %previous : f32[B, 6, 4]
  %logits = linear %h, %e : f32[B, 6, 9]
  return logits = %logits
}
`;
const module = parseModule(text, { weights: weightsOf({ e: randomTensor(2, [vocabulary, 4], 1.5) }) });
const plan = planTokens({
  state_space: { kind: "uniform", vocab_size: vocabulary },
  noise_schedule: { family: "power" },
  timesteps: { kind: "table", values: Array.from({ length: steps + 1 }, (_, i) => 1 - i / steps) },
  sampler: {
    kind: "confidence",
    temperature: 0.9,
    final_temperature: 0.5,
    renoise: "uniform",
    blocks: { length: length / 2 },
  },
});

test("an honest candidate agrees", async () => {
  const report = await checkTokenTrajectory(module, float32Candidate(), { plan, batch: 2, seed: 3 });
  expect(report.agrees).toBe(true);
  expect(report.steps).toHaveLength(2 * steps);
});

test("one that forgets is found where there is something to forget", async () => {
  const forgetful = float32Candidate((op, operands) =>
    op.name === "where" ? [{ ...operands.a!, data: new Float64Array(operands.a!.data.length) }] : undefined,
  );
  const report = await checkTokenTrajectory(module, forgetful, { plan, batch: 2, seed: 3 });
  expect(report.agrees).toBe(false);
  const failed = report.steps.filter(({ forced }) => forced.status === "fail").map(({ step }) => step);
  expect(failed).toEqual([1, 2, 4, 5]);
});
