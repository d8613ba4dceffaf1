// Prediction types and processes: the factors against the definitions of the outputs, samplers against the exact flow of a
// Gaussian.
import { describe, expect, test } from "vitest";
import { planSampler } from "../../src/diffusion/index.js";
import { networkScales } from "../../src/diffusion/network-scales.js";
import { exploding, levelFromGamma, type NoiseLevel } from "../../src/diffusion/noise-level.js";

const flowLevel = (a: number, scale: number): NoiseLevel => ({
  alphaBar: a ** 2,
  sigma2: ((1 - a) * scale) ** 2,
  gamma: 2 * Math.log(((1 - a) * scale) / a),
});
const levels = {
  "variance preserving": [5, 0.3, -4].map(levelFromGamma),
  "variance exploding": [5, 0.3, -4].map(exploding),
  flow: [flowLevel(0.1, 2), flowLevel(0.7, 2), flowLevel(0.9, 1)],
};

/** What networks of the papers are trained to give, from clean x0 and noise e. */
const outputs: Readonly<Record<string, (x0: number, e: number, level: NoiseLevel) => number>> = {
  epsilon: (_, e) => e,
  v: (x0, e, { alphaBar, sigma2 }) => Math.sqrt(alphaBar) * e - Math.sqrt(sigma2) * x0,
  score: (_, e, { sigma2 }) => -e / Math.sqrt(sigma2),
};

describe.each(Object.entries(levels))("%s", (name, list) => {
  test.each(Object.keys(outputs))("%s gives back x0", (target) => {
    for (const level of list)
      for (const [x0, e] of [
        [0.7, -1.3],
        [-2, 0.1],
      ] as const) {
        const x = Math.sqrt(level.alphaBar) * x0 + Math.sqrt(level.sigma2) * e;
        const { c_skip, c_out } = networkScales({ target }, level);
        expect(c_skip! * x + c_out! * outputs[target]!(x0, e, level)).toBeCloseTo(x0, 10);
      }
  });

  test("edm is table 1 of Karras et al. for the state over alpha", () => {
    for (const level of list)
      for (const std of [0.5, 1]) {
        const [alpha, r] = [Math.sqrt(level.alphaBar), Math.sqrt(level.sigma2 / level.alphaBar)];
        const scales = networkScales({ target: "edm", dataStd: std, unitInput: true }, level);
        expect(scales.c_skip! * alpha).toBeCloseTo(std ** 2 / (r ** 2 + std ** 2), 12);
        expect(scales.c_out).toBeCloseTo((r * std) / Math.sqrt(r ** 2 + std ** 2), 12);
        expect(scales.c_in! * alpha).toBeCloseTo(1 / Math.sqrt(r ** 2 + std ** 2), 12);
      }
  });

  if (name === "flow")
    test("velocity gives back x0", () => {
      for (const [a, scale] of [
        [0.1, 2],
        [0.7, 2],
        [0, 1],
      ] as const) {
        const [x0, e] = [0.4, -0.9];
        const { c_skip, c_out } = networkScales({ target: "velocity" }, flowLevel(a, scale));
        const x = a * x0 + (1 - a) * scale * e;
        expect(c_skip! * x + c_out! * (x0 - scale * e)).toBeCloseTo(x0, 12);
      }
    });
});

test("no factors without need", () => expect(networkScales({}, levelFromGamma(1))).toEqual({}));

/** The exact denoiser of x0 ~ N(0, v): alpha v x / (alpha^2 v + sigma^2). */
const denoiser = (v: number, x: number, alpha: number, sigma2: number): number =>
  (alpha * v * x) / (alpha ** 2 * v + sigma2);

interface Walk {
  readonly kind: string;
  readonly process: string;
  readonly steps: number;
}

/** Walks from one standard deviation of the noise; the flow of a Gaussian keeps x over its marginal's deviation. */
function errorOf({ kind, process, steps }: Walk): number {
  const v = 0.25;
  const plan = planSampler({
    noise_schedule: { family: "karras", process },
    timesteps: { kind: "linspace", from: 0.6, to: 0, num_steps: steps + 1 },
    sampler: { kind, final: "denoise" },
    prediction_type: { x0_from: "direct" },
  });
  const [first, last] = [plan.rows[0]!, plan.finalRow!];
  const deviation = ({ alphaBar, sigma2 }: NoiseLevel): number => Math.sqrt(alphaBar * v + sigma2);
  let x = deviation(first);
  let previous = 0;
  for (const { a, b, c, alphaBar, sigma2 } of plan.rows) {
    const x0 = denoiser(v, x, Math.sqrt(alphaBar), sigma2);
    x = a * x0 + b * x + c * previous;
    previous = x0;
  }
  return Math.abs(x / deviation(last) - 1);
}

describe.each(["variance_preserving", "variance_exploding"])("%s, on a Gaussian", (process) => {
  test.each([
    ["euler", 1],
    ["heun", 2],
    ["dpmpp_2m", 2],
  ] as const)("%s has order %i", (kind, order) => {
    const [coarse, fine] = [40, 80].map((steps) => errorOf({ kind, process, steps })) as [number, number];
    expect(fine).toBeLessThan(0.05);
    expect(Math.log2(coarse / fine)).toBeGreaterThan(order - 0.2);
    expect(Math.log2(coarse / fine)).toBeLessThan(order + 0.4);
  });
});

test("a state that explodes is the preserving one over alpha, and starts with the deviation of its noise", () => {
  const planOf = (process: string) =>
    planSampler({
      noise_schedule: { family: "cosine", process },
      timesteps: { kind: "linspace", from: 0.9, to: 0.1, num_steps: 9 },
      sampler: { kind: "ddpm" },
    });
  const [vp, ve] = [planOf("variance_preserving"), planOf("variance_exploding")];
  const first = vp.rows[0]!;
  expect(ve.initialNoiseScale).toBeCloseTo(Math.sqrt(first.sigma2 / first.alphaBar), 10);
  vp.rows.forEach((row, i) => {
    const to = vp.rows[i + 1]?.alphaBar ?? 1;
    const other = ve.rows[i]!;
    expect(other.alphaBar).toBe(1);
    expect(other.a * Math.sqrt(to)).toBeCloseTo(row.a, 12);
    expect(other.b * Math.sqrt(to / row.alphaBar)).toBeCloseTo(row.b, 12);
    expect(other.s * Math.sqrt(to)).toBeCloseTo(row.s, 12);
  });
});

test("Heun calls the network twice a step, and once for the step to the clean end", () => {
  const { rows, usesHistory } = planSampler({
    noise_schedule: { family: "karras" },
    timesteps: { kind: "linspace", from: 1, to: 0, num_steps: 5 },
    sampler: { kind: "heun", final: "round" },
  });
  expect(usesHistory).toBe(true);
  expect(rows.map(({ step }) => step)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
  expect(rows.map(({ t }) => t)).toEqual([1, 0.75, 0.75, 0.5, 0.5, 0.25, 0.25, 0, 0]);
  expect(rows.at(-1)).toMatchObject({ b: 0, c: 0, s: 0 });
});

test("a learned schedule runs between its ends, rises, and has the tensors' shape in between", () => {
  const [w1, b1, w2] = [
    [0.5, -1, 2],
    [0.1, -0.4, 0.3],
    [1, 0, -2],
  ];
  const constants = { w1, b1, w2, gamma_min: -4, gamma_max: 7 };
  const { rows, finalRow } = planSampler(
    {
      noise_schedule: { family: "learned_mlp" },
      timesteps: { kind: "linspace", from: 1, to: 0, num_steps: 5 },
      sampler: { kind: "ddim", final: "denoise" },
    },
    { constants },
  );
  const softplus = (v: number): number => Math.log(1 + Math.exp(v));
  const g = (t: number): number =>
    [0, 1, 2].reduce(
      (sum, k) => sum + softplus(w2[k]!) * Math.tanh((t - 0.5) * softplus(w1[k]!) + b1[k]!),
      0,
    );
  const expected = [1, 0.75, 0.5, 0.25, 0].map((t) => -4 + (11 * (g(t) - g(0))) / (g(1) - g(0)));
  [...rows, finalRow!].forEach(({ gamma }, i) => {
    expect(gamma).toBeCloseTo(expected[i]!, 12);
  });
});
