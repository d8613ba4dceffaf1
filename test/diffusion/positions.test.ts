// Levels per position, against formulas written out here: SeqDiffuSeq's posterior with a table of each position,
// AR-Diffusion's anchor, and a grid that positions walk one behind the other.
import { describe, expect, test } from "vitest";
import { coefficientsOf, levelInputs, planSampler, type SamplerParts } from "../../src/diffusion/plan.js";
import { deriveKey, squares32, uniform } from "../../src/diffusion/rng.js";
import { initialState } from "../../src/diffusion/rows.js";

const length = 5;
const state_space = { kind: "continuous_embedding", seq_len: length };

/** Listed alpha_bar [steps][length], falling along the steps in every column by a rate of its own. */
function listed(steps: number, columns = length): number[][] {
  const draw = (k: number): number => uniform(squares32(deriveKey(7), 0, k));
  const left = Array.from({ length: columns }, () => 1);
  return Array.from({ length: steps }, (_, i) =>
    left.map((_, p) => {
      left[p]! *= 0.55 + 0.4 * draw(i * columns + p);
      return left[p]!;
    }),
  );
}

function table(alpha_bars: unknown, steps: number): SamplerParts["noise_schedule"] {
  return { family: "table", alpha_bars, discretization: { kind: "given_beta", num_train_steps: steps } };
}

describe("a table with a position axis", () => {
  const steps = 9;
  const bars = listed(steps);
  const parts: SamplerParts = {
    state_space,
    noise_schedule: table(bars, steps),
    timesteps: { kind: "table", values: [8, 6, 5, 2, 0] },
    sampler: { kind: "ddpm" },
  };

  test("ddpm's row is the posterior q(x_to | x, x0) of each position (Ho et al. 2020, eq. 7)", () => {
    const { rows } = planSampler(parts);
    const visited = [8, 6, 5, 2, 0];
    expect(rows).toHaveLength(5);
    for (const [k, row] of rows.entries()) {
      expect(row.positions).toHaveLength(length);
      for (let p = 0; p < length; p++) {
        const now = bars[visited[k]!]![p]!;
        const to = k + 1 < visited.length ? bars[visited[k + 1]!]![p]! : 1;
        const beta = 1 - now / to;
        const { a, b, s, alphaBar, level } = row.positions![p]!;
        expect(alphaBar).toBeCloseTo(now, 12);
        expect(a).toBeCloseTo((Math.sqrt(to) * beta) / (1 - now), 12);
        expect(b).toBeCloseTo((Math.sqrt(now / to) * (1 - to)) / (1 - now), 12);
        expect(s ** 2).toBeCloseTo((beta * (1 - to)) / (1 - now), 12);
        expect(level).toBe(visited[k]);
      }
    }
  });

  test("a network that is told the step gets one number, one that is told the noise gets one of each position", () => {
    const { rows } = planSampler(parts);
    expect(levelInputs(rows[1]!, (values) => values).level).toEqual([6]);
    const told = planSampler({ ...parts, time_conditioning: { input: "alpha" } });
    const levels = levelInputs(told.rows[1]!, (values) => values).level!;
    expect(levels).toHaveLength(length);
    for (const [p, level] of levels.entries()) expect(level).toBeCloseTo(Math.sqrt(bars[6]![p]!), 12);
  });

  test("coefficients are rows [a, b, c, s] of one position after the other", () => {
    const [row] = planSampler(parts).rows;
    const flat = coefficientsOf(row!);
    expect(flat).toHaveLength(4 * length);
    expect(flat.slice(8, 12)).toEqual([
      row!.positions![2]!.a,
      row!.positions![2]!.b,
      0,
      row!.positions![2]!.s,
    ]);
  });

  test("more columns than positions change nothing", () => {
    const wide = bars.map((row) => [...row, 0.5]);
    expect(planSampler({ ...parts, noise_schedule: table(wide, steps) })).toEqual(planSampler(parts));
  });

  test.each([
    "ddpm",
    "ddim",
    "euler",
    "heun",
    "dpmpp_2m",
    "renoise",
  ])("a table that is constant over positions gives exactly the shared plan: %s", (kind) => {
    const column = bars.map((row) => row[1]!);
    const shared = planSampler({ ...parts, noise_schedule: table(column, steps), sampler: { kind } });
    const constant = column.map((value) => Array.from({ length }, () => value));
    expect(planSampler({ ...parts, noise_schedule: table(constant, steps), sampler: { kind } })).toEqual(
      shared,
    );
    expect(shared.rows.every(({ positions }) => positions === undefined)).toBe(true);
  });

  test("a column that does not fall is refused with its position", () => {
    const broken = bars.map((row, i) => row.map((value, p) => (i === 4 && p === 3 ? 0.99 : value)));
    const plan = () => planSampler({ ...parts, noise_schedule: table(broken, steps) });
    expect(plan).toThrow("alpha_bar of position 3 falls from below 1, but 0.99 follows");
  });

  test("the number of positions has to be known", () => {
    const { state_space: _, ...without } = parts;
    expect(() => planSampler(without)).toThrow("nothing says how many there are");
  });
});

describe("a grid that positions walk one behind the other", () => {
  const cosine = { family: "cosine", discretization: { kind: "continuous" } } as const;
  const grid = { kind: "linspace", from: 0.9, to: 0.1, num_steps: 4 } as const;
  const shared = { state_space, noise_schedule: cosine, timesteps: grid };

  test.each([
    [1, 1],
    [3, 1],
    [2, 2],
    [4, 3],
    [0, 1],
  ])("lag %i of blocks of %i: times wait at both ends", (lag, block) => {
    const { rows } = planSampler({
      ...shared,
      timesteps: { ...grid, per_position: { kind: "lag", lag, block } },
      sampler: { kind: "ddim" },
    });
    const times = [0.9, 0.9 - 0.8 / 3, 0.9 - 1.6 / 3, 0.1];
    const groups = Math.ceil(length / block);
    expect(rows).toHaveLength(4 + lag * (groups - 1));
    for (const [k, row] of rows.entries())
      for (let p = 0; p < length; p++) {
        const at = Math.min(3, Math.max(0, k - lag * Math.floor(p / block)));
        const { t } = (row.positions ?? Array.from({ length }, () => row))[p]!;
        expect(t, `row ${k}, position ${p}`).toBeCloseTo(times[at]!, 12);
      }
  });

  test.each([
    ["ddpm", {}],
    ["ddim", { eta: 0.5 }],
    ["euler", {}],
    ["heun", {}],
    ["dpmpp_2m", {}],
    ["renoise", {}],
    ["flow", {}],
    ["flow", { churn: 0.7 }],
  ] as const)("%s %o: moving rows are those of the shared grid, waiting ones leave x as it is", (kind, options) => {
    const noise_schedule = kind === "flow" ? { family: "flow" } : cosine;
    const sampler = { kind, ...options };
    const one = planSampler({ ...shared, noise_schedule, sampler });
    const lag = 2;
    const all = planSampler({
      ...shared,
      noise_schedule,
      timesteps: { ...grid, per_position: { kind: "lag", lag } },
      sampler,
    });
    // Heun's method takes two rows a step, and one for the step to the clean end.
    const moving = kind === "heun" ? 6 : 3;
    const keep = 1 - 0.7 * (0.8 / 3);
    for (let p = 0; p < length; p++) {
      const own = all.rows.map((row) => row.positions?.[p] ?? row);
      const start = (moving / 3) * lag * p;
      for (const [k, row] of own.entries()) {
        const [before, after] = [k < start, k >= start + moving && k < own.length - 1];
        // Noise that is mixed in ahead of a step belongs to the row before it.
        const mixes = "churn" in options && k === start - 1;
        const still = mixes ? { a: 0, b: keep, c: 0, s: 1 - keep } : { a: 0, b: 1, c: 0, s: 0 };
        const wanted = before || after ? still : (one.rows[k - start] ?? one.rows.at(-1)!);
        for (const key of ["a", "b", "c", "s"] as const)
          expect(row[key], `${key} of position ${p} in row ${k}`).toBeCloseTo(wanted[key], 12);
        if ("t" in wanted) expect(row.t).toBeCloseTo(wanted.t as number, 12);
      }
    }
  });
});

describe("AR-Diffusion's anchor", () => {
  const trained = 23;
  const parts: SamplerParts = {
    state_space,
    noise_schedule: { family: "sqrt", discretization: { kind: "ratio_beta", num_train_steps: trained } },
    timesteps: { kind: "all", per_position: { kind: "anchor" } },
    sampler: { kind: "ddpm" },
  };

  /** The line from (n_s, t_s) through (n_e, t_e), written as upstream has it. */
  function time(s: number, n: number, anchor: number): number {
    const [ns, ts] = [Math.max(length - 1 - s, 0), Math.max(s - (length - 1), 0)];
    const t = ((n - anchor) / (ns - anchor)) * (ts - (trained - 1)) + (trained - 1);
    return Math.min(trained - 1, Math.max(0, t));
  }

  test.each([2, 1.5])("every position is where the line puts it, n_e = %d N", (position) => {
    const { rows } = planSampler({
      ...parts,
      timesteps: { kind: "all", per_position: { kind: "anchor", position } },
    });
    expect(rows).toHaveLength(trained + length);
    for (const [k, row] of rows.entries())
      for (let p = 0; p < length; p++) {
        const { index } = (row.positions ?? Array.from({ length }, () => row))[p]!;
        expect(
          Math.abs(index! - time(trained + length - 1 - k, p, Math.floor(position * length))),
        ).toBeLessThan(0.5 + 1e-9);
      }
  });

  test("all start in noise, earlier positions are never noisier, all are clean at the end", () => {
    const { rows } = planSampler({
      ...parts,
      timesteps: { kind: "gap", num_steps: 6, per_position: { kind: "anchor" } },
    });
    const indices = rows.map((row) =>
      (row.positions ?? Array.from({ length }, () => row)).map(({ index }) => index!),
    );
    expect(indices[0]).toEqual(Array.from({ length }, () => trained - 1));
    for (const [k, row] of indices.entries())
      for (let p = 1; p < length; p++) {
        expect(row[p]).toBeGreaterThanOrEqual(row[p - 1]!);
        if (k > 0) expect(row[p]).toBeLessThanOrEqual(indices[k - 1]![p]!);
      }
    // floor((23 + 5) / 6) = 4: steps 27, 23, .. of the 28.
    expect(rows).toHaveLength(7);
    for (const { a, b, s } of rows.at(-1)!.positions ?? [rows.at(-1)!])
      expect({ a, b, s }).toEqual({ a: 1, b: 0, s: 0 });
  });

  test("skipping keeps DDPM's posterior between the two times of each position", () => {
    const { rows } = planSampler({
      ...parts,
      timesteps: { kind: "gap", num_steps: 6, per_position: { kind: "anchor" } },
    });
    const bar = (index: number): number => 1 - Math.sqrt((index + 1) / trained + 1e-4);
    const first = 1 - Math.sqrt(1e-4);
    const each = (k: number) => rows[k]!.positions!;
    for (let k = 1; k + 1 < rows.length; k++)
      for (let p = 0; p < length; p++) {
        const [from, to] = [each(k)[p]!, each(k + 1)[p]!];
        if (from.index === to.index || from.index === trained - 1) continue;
        const [now, next] = [bar(from.index!) / first, bar(to.index!) / first];
        expect(from.a).toBeCloseTo((Math.sqrt(next) * (1 - now / next)) / (1 - now), 9);
        expect(from.b).toBeCloseTo((Math.sqrt(now / next) * (1 - next)) / (1 - now), 9);
        expect(from.s ** 2).toBeCloseTo(((1 - now / next) * (1 - next)) / (1 - now), 9);
      }
  });

  test("a continuous schedule has no steps to count", () => {
    const plan = () =>
      planSampler({
        ...parts,
        noise_schedule: { family: "cosine", discretization: { kind: "continuous" } },
        timesteps: { kind: "linspace", num_steps: 3, per_position: { kind: "anchor" } },
      });
    expect(plan).toThrow("an anchor counts trained steps");
  });
});

describe("a list of times with a row of positions", () => {
  const karras = { family: "karras", sigma_min: 0.1, sigma_max: 10, rho: 1, process: "variance_exploding" };

  test("each position walks its column, from noise of its own where the process explodes", () => {
    const values = [
      [1, 1, 0.9, 0.8, 1],
      [0.5, 0.7, 0.9, 0.3, 0.4],
      [0.1, 0.2, 0.3, 0.3, 0],
    ];
    const plan = planSampler({
      state_space,
      noise_schedule: karras,
      timesteps: { kind: "table", values },
      sampler: { kind: "euler" },
    });
    const sigma = (t: number): number => 0.1 + t * (10 - 0.1);
    const noise = new Float64Array(2 * length * 3).fill(1);
    const start = initialState(plan, noise, 3);
    for (let p = 0; p < length; p++) {
      for (const i of [0, 1]) expect(start[(i * length + p) * 3 + 2]).toBeCloseTo(sigma(values[0]![p]!), 9);
      for (let k = 0; k < 2; k++) {
        // x_to = x0 + (sigma_to / sigma) (x - x0)
        const left = sigma(values[k + 1]![p]!) / sigma(values[k]![p]!);
        expect(plan.rows[k]!.positions![p]!.b).toBeCloseTo(left, 9);
        expect(plan.rows[k]!.positions![p]!.a).toBeCloseTo(1 - left, 9);
      }
    }
  });

  test("a trained step that is none is refused", () => {
    const plan = () =>
      planSampler({
        state_space,
        noise_schedule: table(listed(4), 4),
        timesteps: { kind: "table", values: [[3, 3, 3, 4, 3]] },
        sampler: { kind: "ddim" },
      });
    expect(plan).toThrow("step 4 is not one of the 4 trained steps");
  });
});
