// A whole generation on a hand-written model: every step alone and in its own wake.
import { expect, test } from "vitest";
import { planTokens } from "../../src/diffusion/discrete/token-plan.js";
import { planSampler } from "../../src/diffusion/plan.js";
import { parseModule } from "../../src/ir/parse.js";
import { tensor } from "../../src/ir/tensor.js";
import { checkTokenTrajectory } from "../../src/runtime-check/token-trajectory.js";
import { checkTrajectory } from "../../src/runtime-check/trajectory.js";
import { again, float32Candidate, randomTensor, weightsOf } from "./float32.js";

// A small denoiser: x0 = softmax(x W) E with a level added, tokens from its logits, one DDPM update.
const text = `dim B >= 1

graph @time(%level: f32[B]) {
  %0 = reshape %level {shape = [B, 1]} : f32[B, 1]
  %1 = scale %0 {factor = 0.01} : f32[B, 1]
  %w = weight {name = "t", shape = [4, 1]} : f32[4, 1]
  %time = linear %1, %w : f32[B, 4]
  return time = %time
}

graph @step(%x: f32[B, 6, 4], %time: f32[1, 4], %noise: f32[B, 6, 4], %coefficients: f32[4], %fixed_mask: bool[B, 6], %fixed_x: f32[B, 6, 4]) {
  %mask = reshape %fixed_mask {shape = [B, 6, 1]} : bool[B, 6, 1]
  %given = where %mask, %fixed_x, %x : f32[B, 6, 4]
  %told = add %given, %time : f32[B, 6, 4]
  %w = weight {name = "w", shape = [9, 4]} : f32[9, 4]
  %e = weight {name = "e", shape = [4, 9]} : f32[4, 9]
  %logits = linear %told, %w : f32[B, 6, 9]
  %p = softmax %logits {axis = 2} : f32[B, 6, 9]
  %x0 = linear %p, %e : f32[B, 6, 4]
  %tokens = argmax %logits {axis = 2} : i32[B, 6]
  %next = affine_step %x0, %given, %noise, %coefficients : f32[B, 6, 4]
  return x_next = %next, x0 = %x0, tokens = %tokens
}
`;
const module = parseModule(text, {
  weights: weightsOf({
    t: randomTensor(1, [4, 1]),
    w: randomTensor(2, [9, 4], 2),
    e: randomTensor(3, [4, 9]),
  }),
});
const plan = planSampler({
  noise_schedule: { family: "cosine" },
  timesteps: { kind: "linspace", from: 0.95, to: 0.05, num_steps: 12 },
  sampler: { kind: "ddpm", final: "round" },
});

test("an honest float32 generation agrees, step by step and as a whole", async () => {
  const report = await checkTrajectory(module, float32Candidate(), { plan, batch: 2, seed: 3 });
  expect(report.agrees).toBe(true);
  expect(report.steps).toHaveLength(plan.rows.length);
  for (const { forced, free } of report.steps) {
    expect(forced.error).toBeGreaterThan(0);
    expect(forced.error).toBeLessThan(20 * forced.predicted);
    expect(free.error).toBeLessThan(20 * free.predicted);
  }
  expect(report.firstFlip).toBeUndefined();
});

test("noise forgotten in one step is found there, and in the wake of it", async () => {
  let calls = 0;
  // Two runs of @step for each step of the plan: forced, then free. The mistake strikes both of step 5.
  const forgetful = float32Candidate((op, operands) => {
    if (op.name !== "affine_step") return undefined;
    const step = Math.floor(calls++ / 2);
    const silent = { ...operands.noise!, data: new Float64Array(operands.noise!.data.length) };
    return step === 5 ? again(op, { ...operands, noise: silent } as never) : undefined;
  });
  const report = await checkTrajectory(module, forgetful, { plan, seed: 3 });
  expect(report.agrees).toBe(false);
  expect(report.steps.filter(({ forced }) => forced.status === "fail").map(({ step }) => step)).toEqual([5]);
  const wake = report.steps.filter(({ free }) => free.status === "fail").map(({ step }) => step);
  expect(wake[0]).toBe(5);
  expect(wake.length).toBeGreaterThan(2);
});

test("wrong time features show in the free run alone, and the first flipped token is named", async () => {
  const wrong = float32Candidate((op, operands) =>
    op.name === "scale" ? again(op, operands as never, { factor: 3 }) : undefined,
  );
  const report = await checkTrajectory(module, wrong, { plan, batch: 2, seed: 3 });
  // Forced steps are fed the reference's time features, so only the free run is wrong.
  expect(report.steps.every(({ forced }) => forced.status === "pass")).toBe(true);
  expect(report.agrees).toBe(false);
  const first = report.steps.find(({ free }) => free.flips > 0)!;
  expect(report.firstFlip).toMatchObject({ step: first.step });
  expect(report.firstFlip!.margin).toBeGreaterThan(report.firstFlip!.allowed);
  expect(report.firstFlip!.position).toBeLessThan(6);
});

test("under guidance both calls of a step are judged", async () => {
  const tokens = parseModule(
    `dim B >= 1

graph @denoise(%tokens: i32[B, 6]) {
  %e = weight {name = "e", shape = [9, 9]} : f32[9, 9]
  %logits = take %e, %tokens : f32[B, 6, 9]
  return logits = %logits
}
`,
    { weights: weightsOf({ e: randomTensor(4, [9, 9]) }) },
  );
  const masked = planTokens({
    state_space: { kind: "absorbing", vocab_size: 9 },
    noise_schedule: { family: "log_linear" },
    timesteps: { kind: "linspace", num_steps: 4 },
    sampler: { kind: "ancestral", final: "none", guidance: { scale: 1 } },
  });
  for (const wrong of [undefined, 0, 4, 5]) {
    let calls = 0;
    const candidate = float32Candidate();
    const report = await checkTokenTrajectory(
      tokens,
      {
        ...candidate,
        async run(...given) {
          const outputs = await candidate.run(...given);
          return calls++ === wrong
            ? outputs.map((output) => ({ ...output, data: output.data.map((v) => v + 1) }))
            : outputs;
        },
      },
      { plan: masked },
    );
    const failed = report.steps.flatMap(({ step, forced }) => (forced.status === "fail" ? [step] : []));
    expect(failed).toEqual(wrong === undefined ? [] : [Math.floor(wrong / 2)]);
  }
});

test("what @decode makes of the last state is judged too, with the state's own error in it", async () => {
  const decode = `
graph @decode(%x: f32[B, 6, 4]) {
  %s = weight {name = "s", shape = [4]} : f32[4]
  %latents = mul %x, %s : f32[B, 6, 4]
  return latents = %latents
}
`;
  const latents = parseModule(text + decode, {
    weights: weightsOf({
      t: randomTensor(1, [4, 1]),
      w: randomTensor(2, [9, 4], 2),
      e: randomTensor(3, [4, 9]),
      s: randomTensor(4, [4]),
    }),
  });
  const honest = await checkTrajectory(latents, float32Candidate(), { plan, batch: 2, seed: 3 });
  expect(honest.agrees).toBe(true);
  expect(honest.latents!.forced.error).toBeGreaterThan(0);
  expect(honest.latents!.free.predicted).toBeGreaterThan(honest.latents!.forced.predicted);
  const wrong = float32Candidate((op, operands) =>
    op.name === "mul" ? again(op, { ...operands, b: operands.a! } as never) : undefined,
  );
  const report = await checkTrajectory(latents, wrong, { plan, batch: 2, seed: 3 });
  expect(report.agrees).toBe(false);
  expect(report.steps.every(({ free }) => free.status === "pass")).toBe(true);
  expect([report.latents!.forced.status, report.latents!.free.status]).toEqual(["fail", "fail"]);
});

test("a part has no trajectory", async () => {
  const part = { ...module, graphs: module.graphs.slice(0, 1) };
  await expect(checkTrajectory(part, float32Candidate(), { plan })).rejects.toThrow("check/no-step");
});

// The clamp chooses between rows 0 and 1, which float32 cannot tell apart; what they stand for is far apart.
const clamped = parseModule(
  `dim B >= 1

graph @step(%x: f32[B, 6, 4], %noise: f32[B, 6, 4], %coefficients: f32[4]) {
  %near = weight {name = "near", shape = [3, 4]} : f32[3, 4]
  %far = weight {name = "far", shape = [3, 4]} : f32[3, 4]
  %row = nearest_row %x, %near : i32[B, 6]
  %x0 = take %far, %row : f32[B, 6, 4]
  %tokens = argmax %x0 {axis = 2} : i32[B, 6]
  %next = affine_step %x0, %x, %noise, %coefficients : f32[B, 6, 4]
  return x_next = %next, x0 = %x0, tokens = %tokens
}
`,
  {
    weights: weightsOf({
      near: tensor("f32", [3, 4], Float64Array.of(0.5, 0.5, 0, 0, 0.5, 0.5 + 1e-9, 0, 0, -9, -9, -9, -9)),
      far: tensor("f32", [3, 4], Float64Array.of(1, 0, 0, 0, 0, 2, 0, 0, 0, 0, 3, 0)),
    }),
  },
);

test("a generation that parts at a near tie of the clamp is not called wrong", async () => {
  const report = await checkTrajectory(clamped, float32Candidate(), { plan, seed: 1 });
  expect(report.agrees).toBe(true);
  const [first, ...rest] = report.steps;
  expect(first!.free.status).toBe("near-tie");
  // The states are as far apart as the rows: measured, and not judged.
  expect(Math.max(...rest.map(({ free }) => free.error))).toBeGreaterThan(0.01);
});

test("a clamp that goes to the wrong row is called wrong", async () => {
  const wrong = float32Candidate((op, _, [y]) =>
    op.name === "nearest_row" ? [{ ...y!, data: y!.data.map((v, i) => (i === 2 ? 2 : v)) }] : undefined,
  );
  const report = await checkTrajectory(clamped, wrong, { plan, seed: 1 });
  expect(report.agrees).toBe(false);
  expect(report.steps[0]!.forced.status).toBe("fail");
});
