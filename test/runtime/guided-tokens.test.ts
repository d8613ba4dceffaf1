// Guidance of tokens by its formulas. The network is a formula of what it is given, so both calls are known: with the given
// tokens and an encoder's output, and with empty tokens and zeros in their places.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { openSession } from "../../src/api/generate.js";
import { guideWeights } from "../../src/diffusion/discrete/samplers/guided.js";
import { planTokens, type TokenPlan } from "../../src/diffusion/index.js";
import { decodeTokens, type EncoderRows, type TokenRunner } from "../../src/runtime/index.js";

const [length, n, batch] = [4, 5, 2];
const fixed = {
  tokens: Int32Array.of(2, 0, 0, 3, 0, 1, 0, 0),
  mask: Uint8Array.of(1, 0, 0, 1, 0, 1, 0, 0),
};
const encoder: EncoderRows = {
  values: Float64Array.from({ length: batch * 3 }, (_, i) => Math.cos(i)),
  mask: new Uint8Array(batch * 3).fill(1),
};

/** Logits of a row: every token and the encoder's numbers have their part in every position. */
function logitsOf(tokens: readonly number[], read: readonly number[], level: number): number[][] {
  const state = tokens.reduce((sum, token, j) => sum + 0.7 * (j + 1) * (token + 1), 0);
  const told = read.reduce((sum, value, j) => sum + (j + 1) * value, 0);
  return tokens.map((_, i) =>
    Array.from({ length: n }, (_u, v) => 2 * Math.sin(1.3 * (i + 1) * (v + 2) + state + told) + level * v),
  );
}

const rowOf = (values: ArrayLike<number>, row: number): number[] => {
  const width = values.length / batch;
  return Array.from(values).slice(row * width, (row + 1) * width);
};

const network: TokenRunner = {
  length,
  vocabulary: n,
  async logits({ tokens, encoder: given, level }) {
    const rows = [0, 1].map((b) => logitsOf(rowOf(tokens, b), rowOf(given!.values, b), level[b]!));
    return Float64Array.from(rows.flat(2));
  },
  async dispose() {},
};

const softmax = (logits: readonly number[]): number[] => {
  const e = logits.map(Math.exp);
  const sum = e.reduce((total, v) => total + v, 0);
  return e.map((v) => v / sum);
};
const normalized = (weights: readonly number[]): number[] => {
  const sum = weights.reduce((total, v) => total + v, 0);
  return weights.map((v) => v / sum);
};

const forms = {
  difference: (l: number, u: number, w: number) => u + (w + 1) * (l - u),
  mix: (l: number, u: number, w: number) => w * l + (1 - w) * u,
};

/** sum_u p_u q(x_s = v | x_t = x, x_0 = u), q written out by Bayes (Austin et al. 2021, eq. 3). */
function posterior(p: readonly number[], x: number, from: number, to: number): number[] {
  const q = (v: number, u: number, a: number): number => (v === u ? a : 0) + (1 - a) / n;
  return Array.from({ length: n }, (_, v) =>
    p.reduce((sum, weight, u) => sum + (weight * q(x, v, from / to) * q(v, u, to)) / q(x, u, from), 0),
  );
}

const planOf = (state: { kind: string; mask_token_id?: number }, sampler: object, target = "x0"): TokenPlan =>
  planTokens({
    state_space: { vocab_size: n, ...state },
    noise_schedule: { family: "log_linear" },
    timesteps: { kind: "linspace", num_steps: 5 },
    time_conditioning: { input: "t" } as const,
    prediction_type: { target },
    sampler: { kind: "ancestral", final: "none", ...sampler },
  });

/** Both answers of the network in a state, [row][position][token], the second with `empty` and zeros. */
function answers(tokens: Int32Array, level: number, empty: (i: number, token: number) => number) {
  return [0, 1].map((b) => {
    const own = rowOf(tokens, b);
    const given = rowOf(fixed.mask, b);
    const left = own.map((token, i) => (given[i] === 1 ? empty(i, token) : token));
    return {
      own,
      l: logitsOf(own, rowOf(encoder.values, b), level),
      u: logitsOf(left, [0, 0, 0], level),
    };
  });
}

const emptied = [
  ["one token", { token: 4 }, () => 4],
  ["others at the ends", { token: 4, first: 1, last: 0 }, (i: number) => [1, 4, 4, 0][i]!],
  ["given tokens stay, the encoder goes", undefined, (_: number, token: number) => token],
] as const;

for (const [what, empty, at] of emptied)
  test.each(["difference", "mix"] as const)(`uniform, ${what}: %s`, async (form) => {
    const scale = 1.6;
    const guidance = { scale, form, ...(empty && { empty }) };
    const plan = planOf({ kind: "uniform" }, { guidance });
    let tokens: Int32Array | undefined;
    let seen = 0;
    for await (const state of decodeTokens(network, { plan, batch, noise: 5, fixed, encoder })) {
      if (tokens !== undefined && !state.done) {
        const row = plan.rows[state.step - 1]!;
        for (const [b, { own, l, u }] of answers(tokens, row.level, at).entries())
          for (let i = 0; i < length; i++) {
            const p = softmax(l[i]!.map((value, v) => forms[form](value, u[i]![v]!, scale)));
            const expected = normalized(posterior(p, own[i]!, row.alphaBar, row.to.alphaBar));
            const start = (b * length + i) * n;
            const found = normalized([...state.weights!.subarray(start, start + n)]);
            expect(l[i]).not.toEqual(u[i]);
            for (const [v, weight] of found.entries()) expect(weight).toBeCloseTo(expected[v]!, 12);
            seen++;
          }
      }
      tokens = state.tokens;
    }
    expect(seen).toBe(3 * batch * length);
  });

/** ln w of both steps combined, to sum to one; 0 where either is 0. */
function guidedStep(
  l: readonly number[],
  u: readonly number[],
  form: keyof typeof forms,
  w: number,
): number[] {
  const [p, q] = [normalized(l), normalized(u)];
  return normalized(
    p.map((a, v) => (a === 0 || q[v] === 0 ? 0 : Math.exp(forms[form](Math.log(a), Math.log(q[v]!), w)))),
  );
}

/** The k largest of softmax, to sum to one. */
function best(logits: readonly number[], k: number): number[] {
  const p = softmax(logits);
  const least = [...p].sort((a, b) => b - a)[k - 1]!;
  return normalized(p.map((value) => (value >= least ? value : 0)));
}

describe("guidance of the step (D-CFG)", () => {
  const scale = 1.6;
  const empty = { token: 4 };

  test.each([
    ["ancestral", "mix", 1],
    ["ancestral", "difference", 1],
    ["psi", "mix", 0.3],
    ["psi", "difference", 0],
  ] as const)("%s, %s, kappa %d: every weight", async (kind, form, kappa) => {
    const guidance = { scale, form, of: "step", empty };
    const sampler = { kind, guidance, ...(kind === "psi" && { kappa: { kind: "constant", value: kappa } }) };
    const plan = planOf({ kind: "uniform" }, sampler);
    let tokens: Int32Array | undefined;
    for await (const state of decodeTokens(network, { plan, batch, noise: 8, fixed, encoder })) {
      if (tokens !== undefined && !state.done) {
        const row = plan.rows[state.step - 1]!;
        const [from, to] = [row.alphaBar, row.to.alphaBar];
        for (const [b, { own, l, u }] of answers(tokens, row.level, () => 4).entries())
          for (const [i, x] of own.entries()) {
            const [p, q] = [softmax(l[i]!), softmax(u[i]!)];
            const step = guidedStep(posterior(p, x, from, to), posterior(q, x, from, to), form, scale);
            const clean = guidedStep(p, q, form, scale);
            const start = (b * length + i) * n;
            const found = normalized([...state.weights!.subarray(start, start + n)]);
            for (const [v, weight] of found.entries())
              expect(weight).toBeCloseTo(
                kappa * step[v]! + (1 - kappa) * (to * clean[v]! + (1 - to) / n),
                12,
              );
          }
      }
      tokens = state.tokens;
    }
  });

  test("jumps of discrete flow matching: every weight", async () => {
    // From x, x_1 drawn: rates A [y = x_1] + B / n to y != x, a jump with chance 1 - e^-sum, in proportion to its rate.
    const flow = (p: readonly number[], x: number, forth: number, back: number): number[] => {
      const weights = new Array<number>(n).fill(0);
      for (const [x1, chance] of p.entries()) {
        const rates = weights.map((_, y) => (y === x ? 0 : (y === x1 ? forth : 0) + back / n));
        const leaving = rates.reduce((sum, rate) => sum + rate, 0);
        const jumps = leaving === 0 ? 0 : (1 - Math.exp(-leaving)) / leaving;
        for (const [y, rate] of rates.entries()) weights[y]! += chance * jumps * rate;
        weights[x]! += chance * Math.exp(-leaving);
      }
      return weights;
    };
    const guidance = { scale, form: "mix", of: "step", empty };
    const plan = planOf({ kind: "uniform" }, { kind: "discrete_flow", guidance });
    let tokens: Int32Array | undefined;
    let seen = 0;
    for await (const state of decodeTokens(network, { plan, batch, noise: 8, fixed, encoder })) {
      if (tokens !== undefined && !state.done) {
        const row = plan.rows[state.step - 1]!;
        const { forth, back } = row.flow!;
        for (const [b, { own, l, u }] of answers(tokens, row.level, () => 4).entries())
          for (const [i, x] of own.entries()) {
            const [p, q] = [flow(softmax(l[i]!), x, forth, back), flow(softmax(u[i]!), x, forth, back)];
            const expected = guidedStep(p, q, "mix", scale);
            const start = (b * length + i) * n;
            const found = normalized([...state.weights!.subarray(start, start + n)]);
            for (const [v, weight] of found.entries()) expect(weight).toBeCloseTo(expected[v]!, 12);
            seen++;
          }
      }
      tokens = state.tokens;
    }
    expect(seen).toBe(3 * batch * length);
  });

  test("it is not guidance of the prediction", () => {
    const [l, u] = [
      [0.2, 1, -1, 0, 2],
      [1, 0, 0, 0.5, -1],
    ];
    const mixed = l.map((value, v) => forms.mix(value, u[v]!, scale));
    const [from, to] = [0.3, 0.6];
    const ofStep = guidedStep(
      posterior(softmax(l), 1, from, to),
      posterior(softmax(u), 1, from, to),
      "mix",
      scale,
    );
    const ofPrediction = normalized(posterior(softmax(mixed), 1, from, to));
    expect(Math.max(...ofStep.map((w, v) => Math.abs(w - ofPrediction[v]!)))).toBeGreaterThan(0.01);
  });

  test.each(["argmax", "sample"] as const)("the last call is guided too, final %s", async (final) => {
    const k = 3;
    const guidance = { scale, form: "mix", of: "step", empty };
    const plan = planOf({ kind: "uniform" }, { guidance, final, top_k: k }, "plug_in");
    const states = [];
    for await (const state of decodeTokens(network, { plan, batch, noise: 8, fixed, encoder }))
      states.push(state);
    const { tokens } = states.at(-3)!;
    const last = states.at(-2)!;
    const { level, alphaBar: a } = plan.finalRow;
    let excluded = 0;
    for (const [b, { own, l, u }] of answers(tokens, level, () => 4).entries())
      for (const [i, x] of own.entries()) {
        const at = b * length + i;
        const [p, q] = [best(l[i]!, k), best(u[i]!, k)];
        if (final === "argmax") {
          const guided = guidedStep(p, q, "mix", scale);
          const expected = guided.indexOf(Math.max(...guided));
          expect(last.tokens[at]).toBe(fixed.mask[at] === 1 ? fixed.tokens[at] : expected);
          continue;
        }
        // x_0 in the posterior at alpha_bar_s = 1 is itself times q(x_t | x_0).
        const weighed = (x0: readonly number[]) =>
          x0.map((value, v) => value * ((v === x ? a : 0) + (1 - a) / n));
        const expected = guidedStep(weighed(p), weighed(q), "mix", scale);
        const found = normalized([...last.weights!.subarray(at * n, (at + 1) * n)]);
        for (const [v, weight] of found.entries()) expect(weight).toBeCloseTo(expected[v]!, 10);
        excluded += p.filter((value, v) => value > 0 && q[v] === 0).length;
      }
    if (final === "sample") expect(excluded).toBeGreaterThan(0);
  });

  test("what is placed stays placed: the last draw of an absorbing state is of masked positions", async () => {
    const guidance = { scale, form: "mix", of: "step" };
    const state = { kind: "absorbing", mask_token_id: 4 };
    const plan = planOf(state, { guidance, final: "sample", kind: "tau_leaping" }, "x0");
    const states = [];
    for await (const reached of decodeTokens(network, { plan, batch, noise: 8, fixed, encoder }))
      states.push(reached.tokens);
    const placed = states.at(-3)!;
    expect(placed.filter((token) => token !== 4).length).toBeGreaterThan(
      fixed.mask.filter((m) => m === 1).length,
    );
    for (const [at, token] of placed.entries()) if (token !== 4) expect(states.at(-1)![at]).toBe(token);
    expect([...states.at(-1)!]).not.toContain(4);
  });

  test("where both share no token, what is given decides", () => {
    const l = Float64Array.of(0.25, 0.75, 0);
    expect([...guideWeights({ scale: 2 }, l, Float64Array.of(0, 0, 1))]).toEqual([0.25, 0.75, 0]);
  });
});

test("absorbing: the mask stands for given tokens, zeros for the encoder's output, or other tokens where named", async () => {
  for (const empty of [undefined, { token: 0 }]) {
    const plan = planOf(
      { kind: "absorbing", mask_token_id: 4 },
      { guidance: { scale: 0.5, ...(empty && { empty }) } },
      "subs",
    );
    let tokens: Int32Array | undefined;
    for await (const state of decodeTokens(network, { plan, batch, noise: 5, fixed, encoder })) {
      if (tokens !== undefined && !state.done) {
        const { level, sigma2: from, to } = plan.rows[state.step - 1]!;
        for (const [b, { own, l, u }] of answers(tokens, level, () => empty?.token ?? 4).entries())
          for (const [i, token] of own.entries()) {
            if (token !== 4) continue;
            const p = softmax(
              l[i]!.map((value, v) => (v === 4 ? -Infinity : u[i]![v]! + 1.5 * (value - u[i]![v]!))),
            );
            const start = (b * length + i) * n;
            for (let v = 0; v < n; v++)
              expect(state.weights![start + v]).toBeCloseTo(
                v === 4 ? to.sigma2 : p[v]! * (from - to.sigma2),
                12,
              );
          }
      }
      tokens = state.tokens;
    }
  }
});

describe("a whole model of a uniform state", () => {
  const generated = async (target: string, sampler: object) => {
    const directory = mkdtempSync(join(tmpdir(), "dlmc-guided-"));
    const model = join(directory, "model.json");
    writeFileSync(
      model,
      JSON.stringify({
        version: 1,
        state_space: { kind: "uniform", vocab_size: 13, seq_len: 7 },
        embedding: { dim: 12 },
        noise_schedule: { family: "log_linear" },
        timesteps: { kind: "linspace", num_steps: 5 },
        time_conditioning: { injection: "additive", input: "t", features: { kind: "sinusoidal", dim: 8 } },
        blocks: { mixer: { kind: "attention", heads: 3 }, cross_attention: { heads: 2 } },
        conditioning: { kind: "fixed_positions", encoder: { length: 3, dim: 5 } },
        sampler: { kind: "psi", kappa: { kind: "constant", value: 0.5 }, ...sampler },
      }),
    );
    const session = await openSession({
      model,
      target,
      synthetic: 3,
      seed: 4,
      encoder: { values: Float64Array.from({ length: 10 }, (_, i) => 3 * Math.sin(i)), shape: [2, 5] },
      tokens: [null, 4, null, 9],
    });
    try {
      let tokens: number[] = [];
      for await (const state of session.states()) tokens = [...state.tokens];
      return tokens;
    } finally {
      await session.close();
      rmSync(directory, { recursive: true });
    }
  };

  test("the reference and ONNX give the same tokens, others than without guidance", async () => {
    const guidance = { scale: 6, form: "mix", empty: { token: 12 } };
    const reference = await generated("reference", { guidance });
    expect([reference[1], reference[3]]).toEqual([4, 9]);
    expect(await generated("onnx", { guidance })).toEqual(reference);
    expect(await generated("reference", {})).not.toEqual(reference);
  });
});
