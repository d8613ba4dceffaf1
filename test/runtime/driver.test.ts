import { describe, expect, it } from "vitest";
import { planSampler, type SamplerParts } from "../../src/diffusion/plan.js";
import {
  type GenerateOptions,
  type GenerationState,
  generate,
  generateToEnd,
} from "../../src/runtime/driver.js";
import type { StepRunner } from "../../src/runtime/step-runner.js";
import { golden, worstAbsolute } from "../diffusion/golden.js";
import { stubRunner } from "./stub.js";

const parts: SamplerParts = {
  noise_schedule: { family: "sqrt", discretization: { kind: "ratio_beta", num_train_steps: 2000 } },
  timesteps: { kind: "spaced", sections: 10 },
  time_conditioning: { input: "t_scaled", scale: 1000 / 2000 },
  sampler: { kind: "ddpm" },
};
const tensor = golden("dlm-sampler-a");
const plan = planSampler(parts);

async function states(runner: StepRunner, options: GenerateOptions): Promise<GenerationState[]> {
  const seen: GenerationState[] = [];
  for await (const state of generate(runner, options)) seen.push(state);
  return seen;
}

describe("Diffusion-LM's trajectories", () => {
  const variants = [
    { name: "ddpm_small", sampler: { kind: "ddpm", variance: "fixed_small" } },
    { name: "ddpm_large", sampler: { kind: "ddpm", variance: "fixed_large" } },
    { name: "ddim_eta0", sampler: { kind: "ddim", eta: 0 } },
    { name: "ddpm_clamp", sampler: { kind: "ddpm" }, clamp: true },
  ] as const;

  it.each(variants)("$name", async ({ name, sampler, ...rest }) => {
    const plan = planSampler({ ...parts, sampler });
    const fed = plan.rows.map((row) => row.level);
    expect(worstAbsolute(fed, tensor(`traj.${name}.t_fed`))).toBe(0);
    const [initial, noise] = [tensor(`draw.${name}.x_init`), tensor(`draw.${name}.noise`)];
    const size = initial.length;
    const seen = await states(stubRunner("dlm-sampler-a", rest), {
      plan,
      batch: 2,
      noise: (draw) => (draw === 0 ? initial : noise.subarray((draw - 1) * size, draw * size)),
    });
    expect(seen).toHaveLength(11);
    const [x, x0] = [tensor(`traj.${name}.x.f64`), tensor(`traj.${name}.x0.f64`)];
    for (let k = 0; k < 10; k++) {
      // Values up to 6, ten steps of eight-term sums in float64 on both sides: 1e-14 or so.
      expect(worstAbsolute(seen[k]!.x, x.subarray((k + 1) * size, (k + 2) * size))).toBeLessThan(1e-12);
      expect(worstAbsolute(seen[k]!.x0, x0.subarray(k * size, (k + 1) * size))).toBeLessThan(1e-12);
    }
    if ("clamp" in rest) {
      const chosen = tensor(`traj.${name}.rounded_index`);
      for (let k = 0; k < 10; k++)
        expect(Array.from(seen[k]!.tokens)).toEqual(Array.from(chosen.subarray(k * 10, (k + 1) * 10)));
    }
  });
});

describe("the driver", () => {
  const runner = stubRunner("dlm-sampler-a");

  it("yields every update and a last state with logits and margins", async () => {
    const seen = await states(runner, { plan, noise: 3 });
    expect(seen.map(({ step, of, done }) => [step, of, done])).toEqual(
      Array.from({ length: 11 }, (_, i) => [i + 1, 11, i === 10]),
    );
    const last = seen[10]!;
    expect(last.logits).toHaveLength(5 * 11);
    for (const [i, token] of last.tokens.entries()) {
      const row = Array.from(last.logits!.subarray(i * 11, (i + 1) * 11)).sort((p, q) => q - p);
      expect(last.logits![i * 11 + token]).toBe(row[0]);
      expect(last.margins![i]).toBe(row[0]! - row[1]!);
    }
  });

  it("gives a row the same text alone and in a batch", async () => {
    const alone = await generateToEnd(runner, { plan, noise: 3 });
    const both = await generateToEnd(runner, { plan, noise: 3, batch: 2 });
    expect(Array.from(both.x.subarray(0, 40))).toEqual(Array.from(alone.x));
    expect(Array.from(both.x.subarray(40))).not.toEqual(Array.from(alone.x));
  });

  it("keeps given positions clean in every state, and in what the network sees", async () => {
    const fixed = { tokens: Int32Array.of(0, 7, 0, 2, 0), mask: Uint8Array.of(0, 1, 0, 1, 0) };
    const clean = await runner.embed(Int32Array.of(7, 2), 1);
    const inputs: (readonly number[])[] = [];
    const seen = await states(runner, {
      plan,
      fixed,
      batch: 2,
      beforeStep({ x }) {
        inputs.push(Array.from(x.subarray(8, 16)));
        return undefined;
      },
    });
    for (const state of seen)
      for (const at of [0, 5]) {
        expect([state.tokens[at + 1], state.tokens[at + 3]]).toEqual([7, 2]);
        expect(Array.from(state.x.subarray((at + 1) * 8, (at + 2) * 8))).toEqual(
          Array.from(clean.subarray(0, 8)),
        );
        expect(Array.from(state.x.subarray((at + 3) * 8, (at + 4) * 8))).toEqual(
          Array.from(clean.subarray(8)),
        );
      }
    for (const x of inputs) expect(x).toEqual(Array.from(clean.subarray(0, 8)));
    const free = await generateToEnd(runner, { plan, batch: 2 });
    expect(Array.from(free.x.subarray(0, 8))).not.toEqual(Array.from(seen[10]!.x.subarray(0, 8)));
  });

  it("can leave the first call as Diffusion-LM's infilling does", async () => {
    const fixed = { tokens: Int32Array.of(4, 0, 0, 0, 0), mask: Uint8Array.of(1, 0, 0, 0, 0) };
    const clean = Array.from(await runner.embed(Int32Array.of(4), 1));
    const first: (readonly number[])[] = [];
    const beforeStep: GenerateOptions["beforeStep"] = ({ x, fixedMask, fixedX }) => {
      first.push(Array.from(x.subarray(0, 8), (value, c) => (fixedMask[0] === 1 ? fixedX[c]! : value)));
      return undefined;
    };
    await generateToEnd(runner, { plan, fixed, beforeStep, fixFrom: "first_update" });
    expect(first[0]).not.toEqual(clean);
    expect(first[1]).toEqual(clean);
  });

  it("carries the previous prediction, zeros first", async () => {
    const carried: Float64Array[] = [];
    const seen = await states(runner, {
      plan,
      beforeStep({ previousX0 }) {
        carried.push(Float64Array.from(previousX0));
        return undefined;
      },
    });
    expect(carried[0]!.every((value) => value === 0)).toBe(true);
    for (let k = 1; k < 10; k++) expect(carried[k]).toEqual(seen[k - 1]!.x0);
  });

  it("uses what a hook puts in place of an input", async () => {
    const silent = await generateToEnd(runner, {
      plan,
      noise: (draw) => (draw === 0 ? new Float64Array(40).fill(0.5) : new Float64Array(40)),
    });
    const hooked = await generateToEnd(runner, {
      plan,
      noise: (draw) => new Float64Array(40).fill(draw === 0 ? 0.5 : 9),
      beforeStep: (inputs) => ({ ...inputs, noise: new Float64Array(40) }),
    });
    expect(hooked.x).toEqual(silent.x);
  });

  it("stops early where told, with the tokens of that state", async () => {
    const seen = await states(runner, { plan, stop: ({ step }) => step === 4 });
    expect(seen.map(({ step }) => step)).toEqual([1, 2, 3, 4]);
    expect(seen[3]!.done).toBe(true);
  });

  it("stops between two steps when aborted", async () => {
    const controller = new AbortController();
    const seen: number[] = [];
    const run = async () => {
      for await (const { step } of generate(runner, { plan, signal: controller.signal })) {
        seen.push(step);
        if (step === 3) controller.abort(new Error("enough"));
      }
    };
    await expect(run()).rejects.toThrow("enough");
    expect(seen).toEqual([1, 2, 3]);
  });

  it("ends with one more call of the network when the plan says so", async () => {
    const points: number[] = [];
    const flow: StepRunner = {
      ...runner,
      async denoise({ x, point, previousX0 }) {
        points.push(point.gamma);
        expect(previousX0.some((value) => value !== 0)).toBe(true);
        return runner.round!(x, 1);
      },
    };
    const denoising = planSampler({
      noise_schedule: { family: "gumbel_quantile" },
      timesteps: { kind: "quantile", num_steps: 4 },
      time_conditioning: { input: "gamma" },
      prediction_type: { x0_from: "softmax_embedding" },
      sampler: { kind: "ddim" },
    });
    const seen = await states(flow, { plan: denoising });
    expect(seen).toHaveLength(4);
    expect(points).toEqual([denoising.finalRow!.gamma]);
    await expect(states(runner, { plan: denoising })).rejects.toThrow(/generate\/no-final.*@denoise/);
  });

  it("explains inputs that do not fit", async () => {
    const four = { tokens: new Int32Array(4), mask: new Uint8Array(4) };
    await expect(generateToEnd(runner, { plan, fixed: four })).rejects.toThrow(
      /generate\/fixed-size.*4 tokens.*5/,
    );
    const wrong = { tokens: Int32Array.of(0, 11, 0, 0, 0), mask: Uint8Array.of(0, 1, 0, 0, 0) };
    await expect(generateToEnd(runner, { plan, fixed: wrong })).rejects.toThrow(/token 11 at position 1/);
    await expect(generateToEnd(runner, { plan, noise: () => new Float64Array(39) })).rejects.toThrow(
      /generate\/noise-size.*39/,
    );
  });
});
