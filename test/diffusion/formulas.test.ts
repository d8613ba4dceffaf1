// Every published noise schedule as its authors wrote it, in plain loops, against the table that `inspect --schedule`
// prints for its description. The formulas are those of the papers and of the programs named beside them.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { inspectSchedule } from "../../src/api/inspect.js";

const directory = mkdtempSync(join(tmpdir(), "dlmc-formulas-"));
afterAll(() => rmSync(directory, { recursive: true }));

const { PI, cos, exp, log, log1p, log2, max, min, sqrt } = Math;
const sigmoid = (x: number) => 1 / (1 + exp(-x));
const clip = (x: number, low: number, high: number) => max(low, min(high, x));

/** alpha_bar of the visited levels, the cleanest first, and the codes of what was said about them. */
function levels(noise_schedule: object, timesteps?: object): { bars: number[]; said: string[] } {
  const model = join(directory, "model.json");
  const grid = timesteps === undefined ? {} : { timesteps };
  writeFileSync(model, JSON.stringify({ version: 1, part: "noise_schedule", noise_schedule, ...grid }));
  const said: string[] = [];
  const found = inspectSchedule({ model, warn: (all) => said.push(...all.map(({ code }) => code)) });
  return { bars: found.levels.map(({ alphaBar }) => alphaBar).reverse(), said };
}

function expectClose(found: readonly number[], wanted: readonly number[]): void {
  expect(found.length).toBe(wanted.length);
  // Products of T factors, each off by an ulp of 1 at most.
  for (const [i, value] of wanted.entries())
    expect(Math.abs(found[i]! - value), `level ${i}`).toBeLessThan(4 * wanted.length * 2 ** -52);
}

/** n numbers from a to b. */
const between = (a: number, b: number, n: number): number[] =>
  Array.from({ length: n }, (_, i) => a + ((b - a) * i) / (n - 1));

function product(betas: readonly number[]): number[] {
  let kept = 1;
  return betas.map((beta) => (kept *= 1 - beta));
}

/** The betas that Nichol and Dhariwal cut a function into. */
const ratios = (f: (t: number) => number, steps: number): number[] =>
  Array.from({ length: steps }, (_, i) => min(1 - f((i + 1) / steps) / f(i / steps), 0.999));

const squaredCosine = (s: number) => (t: number) => cos((((t + s) / (1 + s)) * PI) / 2) ** 2;

describe.each([37, 50, 1000])("tables of %i steps", (T) => {
  const scale = 1000 / T;
  const given = { kind: "given_beta", num_train_steps: T };
  const ratio = { kind: "ratio_beta", num_train_steps: T };
  const left = { kind: "left_edge", num_train_steps: T };
  const f = 4;
  test.each<[string, object, number[]]>([
    [
      "DDPM linear",
      { family: "linear", discretization: given },
      product(between(scale * 1e-4, scale * 0.02, T)),
    ],
    [
      "TESS linear",
      { family: "linear", rescale: false, discretization: given },
      product(between(1e-4, 0.02, T)),
    ],
    [
      "TESS scaled_linear",
      { family: "scaled_linear", discretization: given },
      product(between(sqrt(1e-4), sqrt(0.02), T).map((root) => root * root)),
    ],
    [
      "TESS sigmoid",
      { family: "sigmoid_beta", discretization: given },
      product(between(-6, 6, T).map((x) => sigmoid(x) * (0.02 - 1e-4) + 1e-4)),
    ],
    [
      "TESS cosine",
      { family: "cosine", offset: 1e-4, discretization: left },
      Array.from({ length: T }, (_, i) => squaredCosine(1e-4)(i / T) / squaredCosine(1e-4)(0)),
    ],
    ["iDDPM cosine", { family: "cosine", discretization: ratio }, product(ratios(squaredCosine(0.008), T))],
    [
      "Diffusion-LM sqrt",
      { family: "sqrt", discretization: ratio },
      product(ratios((t) => 1 - sqrt(t + 1e-4), T)),
    ],
    [
      "Diffusion-LM trunc_cos",
      { family: "cosine", offset: 0.1, discretization: { ...left, relative: false } },
      product([1 - squaredCosine(0.1)(0), ...ratios(squaredCosine(0.1), T).slice(0, -1)]),
    ],
    [
      "Diffusion-LM trunc_lin",
      { family: "linear", offset: 0.01, discretization: given },
      product(between(scale * 1e-4 + 0.01, scale * 0.02 + 0.01, T)),
    ],
    [
      "Diffusion-LM pw_lin",
      { family: "piecewise_linear", discretization: given },
      product([
        ...between(scale * 1e-4 + 0.01, scale * 1e-4, 10),
        ...between(scale * 1e-4, scale * 0.02, T - 10),
      ]),
    ],
    [
      "Difformer noise factor",
      { family: "sqrt", discretization: ratio, log_snr_shift: -2 * log(f) },
      // The formula is rescaled, then cut into steps.
      product(
        ratios((t) => {
          const bar = 1 - sqrt(t + 1e-4);
          return bar / (f * f - (f * f - 1) * bar);
        }, T),
      ),
    ],
    [
      "D3PM jsd",
      { family: "inverse_remaining", discretization: given },
      Array.from({ length: T }, (_, i) => (T - i - 1) / T),
    ],
    [
      "D3PM cosine",
      { family: "cosine", power: 1, discretization: ratio },
      product(ratios((t) => cos((((t + 0.008) / 1.008) * PI) / 2), T)),
    ],
  ])("%s", (_, schedule, bars) => {
    expectClose(levels(schedule).bars, bars);
  });
});

describe("functions of time", () => {
  const times = between(0.001, 0.999, 41);
  const grid = { kind: "linspace", from: 0.999, to: 0.001, num_steps: 41 };
  const rescaled = (v: (u: number) => number, start: number, end: number) => (t: number) =>
    clip((v(end) - v(start + t * (end - start))) / (v(end) - v(start)), 1e-9, 1);
  const jabri = rescaled(sigmoid, -3, 3);
  const eps = 1e-3;
  const karras = (low: number, high: number, rho: number) => (t: number) =>
    1 / (1 + (low ** (1 / rho) + t * (high ** (1 / rho) - low ** (1 / rho))) ** (2 * rho));
  test.each<[string, object, (t: number) => number]>([
    ["Difformer linear", { family: "vp_linear" }, (t) => exp(-(19.9 * t * t) / 2 - 0.1 * t)],
    [
      "LD4LG beta_linear",
      { family: "vp_linear", beta_min: 0, beta_max: 20, floor: 1e-4 },
      (t) => exp(-1e-4 - 10 * t * t),
    ],
    ["LD4LG simple_linear", { family: "power", exponent: 1, floor: 0 }, (t) => 1 - t],
    ["LD4LG cosine", { family: "cosine_rescaled" }, rescaled((u) => cos((u * PI) / 2) ** 2, 0, 1)],
    [
      "LD4LG cosine, tau 3, from 0.2",
      { family: "cosine_rescaled", tau: 3, start: 0.2 },
      rescaled((u) => cos((u * PI) / 2) ** 6, 0.2, 1),
    ],
    ["LD4LG sigmoid", { family: "sigmoid" }, jabri],
    [
      "LD4LG scale",
      { family: "sigmoid", log_snr_clip: [-15, 15], log_snr_shift: 2 * log(0.5) },
      (t) => sigmoid(clip(log(jabri(t)) - log1p(-jabri(t)), -15, 15) + 2 * log(0.5)),
    ],
    ["EDM", { family: "karras" }, karras(0.002, 80, 7)],
    ["CDCD", { family: "karras", rho: 1, sigma_min: 1, sigma_max: 300 }, karras(1, 300, 1)],
    ["SEDD loglinear", { family: "log_linear" }, (t) => 1 - (1 - eps) * t],
    [
      "SEDD geometric",
      { family: "geometric", sigma_min: 1e-4, sigma_max: 20 },
      (t) => exp(-(1e-4 ** (1 - t) * 20 ** t)),
    ],
    [
      "MDLM cosine",
      { family: "cosine_power", power: 1, eps, eps_at: "noisy" },
      (t) => eps + (1 - eps) * cos((PI * t) / 2),
    ],
    [
      "MDLM cosinesqr",
      { family: "cosine_power", power: 2, eps, eps_at: "noisy" },
      (t) => eps + (1 - eps) * cos((PI * t) / 2) ** 2,
    ],
    ["MDLM linear", { family: "linear_noise", sigma_min: 0, sigma_max: 10 }, (t) => exp(-10 * t)],
    ["BD3-LM square_root", { family: "power", exponent: 0.5, floor: eps }, (t) => 1 - max(sqrt(t), eps)],
    ["BD3-LM log", { family: "logarithmic" }, (t) => 1 - log2(1 + t)],
    [
      "BD3-LM cosine",
      { family: "cosine_power", power: 1, eps, eps_at: "clean" },
      (t) => (1 - eps) * cos((PI * t) / 2),
    ],
    ["dllm cosine", { family: "sine", eps: 0 }, (t) => 1 - cos((PI / 2) * (1 - t))],
  ])("%s", (_, schedule, bar) => {
    expectClose(levels({ ...schedule, discretization: { kind: "continuous" } }, grid).bars, times.map(bar));
  });

  test("LangFlow's Gumbel quantiles", () => {
    const quantiles = between(1e-5, 1 - 1e-5, 33);
    const grid = { kind: "quantile", from: 1 - 1e-5, to: 1e-5, num_steps: 33 };
    const wanted = quantiles.map((q) => sigmoid(-(4.723 - 0.852 * log(-log(q)))));
    expectClose(levels({ family: "gumbel_quantile" }, grid).bars, wanted);
  });
});

describe("what is said about ends", () => {
  test("a schedule alone may end in nothing but signal: samplers decide", () => {
    const discretization = { kind: "left_edge", num_train_steps: 12 };
    expect(levels({ family: "cosine", discretization }).said).toEqual(["schedule/infinite-snr"]);
  });

  test("a noisy end that still holds signal", () => {
    const discretization = { kind: "given_beta", num_train_steps: 50 };
    expect(levels({ family: "linear", rescale: false, discretization }).said).toEqual(["schedule/noisy-end"]);
  });
});
