// Diffusion-LM's sampler and schedule cases with other options than the committed ones, from the conventions' words:
// a network that predicts the noise, infilling, ddim with eta, the truncated and piecewise schedules.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { exact, normals, type Rounding, single } from "./direct/arithmetic.js";
import { verdict, writeCase } from "./direct/write-case.js";

let place: string;
beforeAll(() => {
  place = mkdtempSync(join(tmpdir(), "dlmc-direct-"));
});
afterAll(() => rmSync(place, { recursive: true }));

const steps = 400;

/** Betas of upstream's schedules of T steps. */
function betasOf(schedule: string): number[] {
  const T = steps;
  const s = 1000 / T;
  const spread = (from: number, to: number, count: number) =>
    Array.from({ length: count }, (_, i) => from + (i * (to - from)) / (count - 1));
  if (schedule === "trunc_lin") return spread(s * 1e-4 + 0.01, s * 0.02 + 0.01, T);
  if (schedule === "pw_lin")
    return [...spread(s * 1e-4 + 0.01, s * 1e-4, 10), ...spread(s * 1e-4, s * 0.02, T - 10)];
  if (schedule === "trunc_cos") {
    const f = (u: number) => Math.cos((((u + 0.1) / 1.1) * Math.PI) / 2) ** 2;
    const rest = Array.from({ length: T - 1 }, (_, i) => Math.min(1 - f((i + 1) / T) / f(i / T), 0.999));
    return [Math.min(1 - f(0), 0.999), ...rest];
  }
  const f = (u: number) => 1 - Math.sqrt(u + 1e-4);
  return Array.from({ length: T }, (_, i) => Math.min(1 - f((i + 1) / T) / f(i / T), 0.999));
}

/** 0, s, 2s, .. of T steps with the smallest stride that gives `count`; alpha_bar there. */
function strided(schedule: string, count: number) {
  let product = 1;
  const table = betasOf(schedule).map((beta) => {
    product *= 1 - beta;
    return product;
  });
  const stride = Math.ceil(steps / count);
  const indices = Array.from({ length: count }, (_, k) => k * stride);
  return { table, indices, alphaBar: indices.map((i) => table[i]!) };
}

it.each(["trunc_lin", "pw_lin", "trunc_cos"])("has the schedule %s", async (schedule) => {
  const { table, indices, alphaBar } = strided(schedule, 10);
  const betas = betasOf(schedule);
  const before = (i: number) => (i === 0 ? 1 : table[i - 1]!);
  const at = [0, 1, 2, 9, 10, 11, 200, steps - 1];
  const directory = writeCase(place, {
    id: schedule,
    system: "Diffusion-LM",
    args: { T: steps, schedules: [schedule], spacings: ["ddim10"] },
    architecture: { kind: "noise_schedule" },
    given: {},
    integers: {
      table_index: { shape: [at.length], data: Float64Array.from(at) },
      "respaced_ddim10.timestep_map": { shape: [10], data: Float64Array.from(indices) },
    },
    tables: {
      [`${schedule}.betas`]: betas,
      [`${schedule}.alphas_cumprod`]: table,
      [`${schedule}.posterior_mean_coef1_at`]: at.map(
        (i) => (betas[i]! * Math.sqrt(before(i))) / (1 - table[i]!),
      ),
      [`${schedule}.posterior_variance_at`]: at.map((i) => (betas[i]! * (1 - before(i))) / (1 - table[i]!)),
      [`${schedule}.respaced_ddim10.alphas_cumprod`]: alphaBar,
      [`${schedule}.respaced_ddim10.betas`]: alphaBar.map(
        (value, k) => 1 - value / (k === 0 ? 1 : alphaBar[k - 1]!),
      ),
    },
  });
  expect(await verdict(directory)).toBe("pass");
});

it("walks ddim with eta, a network that predicts noise, the clamp, and infilling", async () => {
  const [batch, length, width, vocabulary, count] = [2, 7, 3, 6, 8];
  const size = batch * length * width;
  const shape = [batch, length, width];
  const draw = normals(41);
  const stub = {
    "stub.W": { shape: [width, width], data: draw(width * width, 0.4) },
    "stub.b": { shape: [width], data: draw(width, 0.2) },
    "stub.tw": { shape: [width], data: draw(width, 0.2) },
    "stub.mix": { shape: [], data: draw(1, 0.3) },
    "emb.weight": { shape: [vocabulary, width], data: draw(vocabulary * width) },
  };
  const { indices, alphaBar } = strided("sqrt", count);
  const partial = draw(size);
  const mask = Float64Array.from({ length: batch * length }, (_, i) => (i % 3 === 1 ? 0 : 1));

  const network = (round: Rounding, x: readonly number[], t: number): number[] =>
    x.map((_, at) => {
      const o = at % width;
      const row = at - o;
      const position = (row / width) % length;
      const before = position === 0 ? row + (length - 1) * width : row - width;
      let y = round(stub["stub.b"].data[o]! + round((t / 1000) * stub["stub.tw"].data[o]!));
      for (let i = 0; i < width; i++) {
        const mixed = round(x[row + i]! + round(stub["stub.mix"].data[0]! * x[before + i]!));
        y = round(y + round(mixed * stub["stub.W"].data[o * width + i]!));
      }
      return y;
    });
  const nearest = (x: readonly number[]): number[] =>
    Array.from({ length: x.length / width }, (_, p) => {
      const distances = Array.from({ length: vocabulary }, (_, v) =>
        Array.from(
          { length: width },
          (_, c) => (x[p * width + c]! - stub["emb.weight"].data[v * width + c]!) ** 2,
        ).reduce((a, b) => a + b, 0),
      );
      return distances.indexOf(Math.min(...distances));
    });

  const variants = [
    { name: "ddim_eta", loop: "ddim", eta: 0.7 },
    { name: "ddpm_eps", loop: "p", mean: "EPSILON" },
    { name: "ddim_clamp", loop: "ddim", eta: 0, clamp: true },
    { name: "infill", loop: "p", infill: true },
    { name: "infill_large", loop: "p", var: "FIXED_LARGE", infill: true },
  ];
  const given: Record<string, { shape: number[]; data: Float64Array }> = {
    "in.partial_enc": { shape, data: partial },
  };
  const results: Record<string, { shape: number[]; f64: number[]; f32: number[] }> = {};
  const integers: Record<string, { shape: number[]; data: Float64Array }> = {
    "in.mask": { shape: [batch, length], data: mask },
  };
  const tables: Record<string, number[]> = {};
  for (const variant of variants) {
    const start = draw(size);
    const noise = draw(count * size);
    const walk = (round: Rounding) => {
      let x = Array.from(start);
      const [states, predictions, chosen]: [number[][], number[][], number[]] = [[x], [], []];
      for (let k = count - 1; k >= 0; k--) {
        const [now, before] = [alphaBar[k]!, k === 0 ? 1 : alphaBar[k - 1]!];
        const beta = 1 - now / before;
        const out = network(round, x, indices[k]!);
        let x0 = out;
        if ("mean" in variant)
          x0 = out.map((eps, at) =>
            round(round(Math.sqrt(1 / now) * x[at]!) - round(Math.sqrt(1 / now - 1) * eps)),
          );
        if (variant.clamp === true) {
          const rows = nearest(x0);
          chosen.push(...rows);
          x0 = rows.flatMap((v) => Array.from(stub["emb.weight"].data.slice(v * width, (v + 1) * width)));
        }
        const draws = noise.subarray((count - 1 - k) * size);
        x = x.map((value, at) => {
          const eps = round(round(round(Math.sqrt(1 / now) * value) - x0[at]!) / Math.sqrt(1 / now - 1));
          const random = k === 0 ? 0 : draws[at]!;
          if (variant.loop === "ddim") {
            const sigma = variant.eta! * Math.sqrt((1 - before) / (1 - now)) * Math.sqrt(1 - now / before);
            const mean = round(Math.sqrt(before) * x0[at]!) + round(Math.sqrt(1 - before - sigma ** 2) * eps);
            return round(round(mean) + round(sigma * random));
          }
          const mean = round(
            round(((beta * Math.sqrt(before)) / (1 - now)) * x0[at]!) +
              round((((1 - before) * Math.sqrt(1 - beta)) / (1 - now)) * value),
          );
          const variance = variant.var === "FIXED_LARGE" ? beta : (beta * (1 - before)) / (1 - now);
          const next = round(mean + round(Math.sqrt(variance) * random));
          return variant.infill === true && mask[Math.floor(at / width)] === 0 ? partial[at]! : next;
        });
        states.push(x);
        predictions.push(x0);
      }
      return { states, predictions, chosen };
    };
    const [wide, narrow] = [walk(exact), walk(single)];
    const at = variant.name;
    given[`draw.${at}.x_init`] = { shape, data: start };
    given[`draw.${at}.noise`] = { shape: [count, ...shape], data: noise };
    results[`traj.${at}.x`] = {
      shape: [count + 1, ...shape],
      f64: wide.states.flat(),
      f32: narrow.states.flat(),
    };
    results[`traj.${at}.x0`] = {
      shape: [count, ...shape],
      f64: wide.predictions.flat(),
      f32: narrow.predictions.flat(),
    };
    tables[`traj.${at}.t_fed`] = [...indices].reverse();
    if (variant.clamp === true)
      integers[`traj.${at}.rounded_index`] = {
        shape: [count, batch, length],
        data: Float64Array.from(wide.chosen),
      };
  }
  const directory = writeCase(place, {
    id: "variants",
    system: "Diffusion-LM",
    args: { T: steps, schedule: "sqrt", spacing: `ddim${count}`, rescale_timesteps: false, variants },
    weights: stub,
    given,
    results,
    integers,
    tables,
  });
  expect(await verdict(directory)).toBe("pass");
});
