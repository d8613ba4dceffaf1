// Noise schedules as golden cases, made here from the published formulas in plain loops.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { runCase } from "../../src/conformance/goldens/run.js";
import { file } from "../weights/helpers.js";

const root = mkdtempSync(join(tmpdir(), "dlmc-schedules-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

type Tensors = Readonly<Record<string, readonly number[]>>;

/** Runs a case without weights whose tensors are float64 vectors. */
function compared(system: string, args: object, tensors: Tensors) {
  const directory = mkdtempSync(join(root, "case-"));
  writeFileSync(
    join(directory, "case.json"),
    JSON.stringify({ schema: "dlmc-golden/1", id: system, system, args }),
  );
  const header: Record<string, object> = {};
  const numbers: number[] = [];
  for (const [name, values] of Object.entries(tensors)) {
    const from = 8 * numbers.length;
    numbers.push(...values);
    header[name] = { dtype: "F64", shape: [values.length], data_offsets: [from, 8 * numbers.length] };
  }
  const data = new Uint8Array(Float64Array.from(numbers).buffer);
  writeFileSync(join(directory, "tensors.safetensors"), file(header, data));
  return runCase(directory);
}

const T = 7;
const { cos, exp, log, max, min, PI, sqrt } = Math;
const ratios = (f: (t: number) => number): number[] =>
  Array.from({ length: T }, (_, i) => min(1 - f((i + 1) / T) / f(i / T), 0.999));
const product = (betas: readonly number[]): number[] => {
  let signal = 1;
  return betas.map((beta) => (signal *= 1 - beta));
};
const between = (from: number, to: number): number[] =>
  Array.from({ length: T }, (_, i) => from + ((to - from) * i) / (T - 1));
const sigmoid = (x: number): number => 1 / (1 + exp(-x));
const squared = (t: number): number => cos((((t + 1e-4) / (1 + 1e-4)) * PI) / 2) ** 2;
const times = [0, 0.2, 0.55, 0.9, 1];
/** LD4LG's log SNR of a signal: between -15 and 15, then moved by the scale. */
const moved = (alpha: number): number =>
  min(15, max(-15, log(max(1e-12, alpha / (1 - alpha))))) + 2 * log(0.7);
/** Difformer's noise factor. */
const louder = (f: (t: number) => number) => (t: number) => f(t) / (9 - 8 * f(t));
const karras = (least: number, most: number) => (t: number) =>
  1 / (1 + (least ** (1 / 7) + t * (most ** (1 / 7) - least ** (1 / 7))) ** 14);

const cases: readonly (readonly [system: string, args: object, tensors: Tensors])[] = [
  [
    "Difformer",
    { num_diffusion_timesteps: T, rescale_factor: 3 },
    {
      "linear.betas": ratios(louder((t) => exp(-(19.9 / 2) * t ** 2 - 0.1 * t))),
      "cosine.betas": ratios(louder((t) => cos((((t + 0.008) / 1.008) * PI) / 2) ** 2)),
      "sqrt.alphas_cumprod": product(ratios(louder((t) => 1 - sqrt(t + 1e-4)))),
      "edm.betas": ratios(louder(karras(0.002, 80))),
      "cdcd.betas": ratios(louder(karras(1, 300))),
    },
  ],
  [
    "TESS schedules",
    { num_train_timesteps: T, beta_start: 2e-4, beta_end: 0.03 },
    {
      "linear.betas": between(2e-4, 0.03),
      "scaled_linear.alphas": between(sqrt(2e-4), sqrt(0.03)).map((root) => 1 - root ** 2),
      "sigmoid.betas": between(-6, 6).map((x) => sigmoid(x) * (0.03 - 2e-4) + 2e-4),
      "squaredcos_cap_v2.betas": ratios(squared),
      "squaredcos_improved_ddpm.alphas_cumprod": Array.from(
        { length: T },
        (_, i) => squared(i / T) / squared(0),
      ),
    },
  ],
  [
    "LD4LG",
    { scale: 0.7 },
    {
      "sched.t": times,
      "sched.simple_linear.log_snr": times.map((t) => moved(max(1e-9, 1 - t))),
      "sched.beta_linear.alpha": times.map((t) => sigmoid(moved(exp(-1e-4 - 10 * t ** 2)))),
      "sched.cosine_schedule.log_snr": times.map((t) => moved(max(1e-9, cos((t * PI) / 2) ** 2))),
      "sched.sigmoid.alpha": times.map((t) =>
        sigmoid(moved(max(1e-9, (sigmoid(3) - sigmoid(6 * t - 3)) / (sigmoid(3) - sigmoid(-3))))),
      ),
    },
  ],
  [
    "D3PM",
    { num_timesteps: T, start: 1e-3, stop: 0.2 },
    {
      "linear.betas": between(1e-3, 0.2),
      "cosine.betas": ratios((t) => cos((((t + 0.008) / 1.008) * PI) / 2)),
      "jsd.betas": Array.from({ length: T }, (_, i) => 1 / (T - i)),
    },
  ],
];

it.each(cases)("%s: every schedule, and a wrong number is found", async (system, args, tensors) => {
  const report = await compared(system, args, tensors);
  expect(report).toMatchObject({ status: "pass", notCompared: [] });
  const names = Object.keys(tensors).filter((name) => name !== "sched.t");
  expect(report.comparisons.map(({ tensor }) => tensor)).toEqual([...names].sort());
  for (const name of names) {
    const off = tensors[name]!.map((value, i) => (i === 1 ? value * (1 + 1e-6) : value));
    expect((await compared(system, args, { ...tensors, [name]: off })).status).toBe("fail");
  }
});
