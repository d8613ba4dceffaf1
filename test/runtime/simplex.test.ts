// The loop of simplex states against its formulas: S_0 = k noise, x0 = +-k at the projected token, S <- a x0 + s k noise.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { openSession } from "../../src/api/generate.js";
import { seededUniforms } from "../../src/diffusion/discrete/draws.js";
import { planTokens } from "../../src/diffusion/index.js";
import { normalNoise } from "../../src/diffusion/normal.js";
import { deriveKey } from "../../src/diffusion/rng.js";
import { planSimplex, type SimplexPlan } from "../../src/diffusion/simplex-plan.js";
import {
  DlmcError,
  generateSimplex,
  generateTokens,
  planSampler,
  type SimplexInputs,
  type SimplexRunner,
  type TokenState,
} from "../../src/runtime/index.js";

const steps = 5;
const parts = (sampler: object, value = 5) => ({
  state_space: { kind: "simplex", vocab_size: 3, seq_len: 2, value },
  noise_schedule: {
    family: "cosine",
    offset: 1e-4,
    discretization: { kind: "left_edge", num_train_steps: steps },
  } as const,
  timesteps: { kind: "all" } as const,
  time_conditioning: { input: "t" } as const,
  sampler: { kind: "renoise", ...sampler },
});

/** squaredcos_improved_ddpm of TESS: alpha_bar of step i of T is f(i / T) / f(0). */
const f = (u: number): number => Math.cos((((u + 1e-4) / (1 + 1e-4)) * Math.PI) / 2) ** 2;
const alphaBar = (i: number): number => (i < 0 ? 1 : f(i / steps) / f(0));

function stub(
  length: number,
  vocabulary: number,
  predict: (inputs: SimplexInputs) => Float64Array,
): SimplexRunner {
  return { length, vocabulary, predict: async (inputs) => predict(inputs), async dispose() {} };
}

async function all(states: AsyncIterable<TokenState>): Promise<TokenState[]> {
  const seen = [];
  for await (const state of states) seen.push(state);
  return seen;
}

test("the plan is TESS's: alpha and sigma of the step below, the last step clean, t / T told", () => {
  const plan = planSimplex(parts({}));
  expect(plan.value).toBe(5);
  expect(plan.initialNoiseScale).toBe(1);
  plan.rows.forEach((row, k) => {
    const t = steps - 1 - k;
    expect(row.level).toBeCloseTo(t / steps, 14);
    expect(row.a).toBeCloseTo(Math.sqrt(alphaBar(t - 1)), 13);
    expect(row.s).toBeCloseTo(Math.sqrt(1 - alphaBar(t - 1)), 7);
    expect(row.b).toBe(0);
  });
  expect(plan.rows).toHaveLength(steps);
});

test.each([
  ["argmax", { kind: "argmax" }, 5],
  ["nucleus", { kind: "sample", top_p: 0.6, temperature: 0.5 }, 2.5],
])("every state by hand: %s", async (_, projection, k) => {
  const [length, vocabulary, batch, seed] = [2, 3, 2, 11];
  const size = batch * length * vocabulary;
  const plan = planSimplex(parts({ projection }, k));
  const noise = (draw: number) => normalNoise(deriveKey(seed, 0), draw, batch, length, vocabulary);
  const uniform = seededUniforms(seed, vocabulary);
  const given: { simplex: number[]; previous: number[]; level: number; logits: Float64Array }[] = [];
  const runner = stub(length, vocabulary, ({ simplex, previous, level }) => {
    const logits = Float64Array.from(simplex, (v, i) => Math.sin(v + i) + previous[i]! / 3 + level);
    given.push({ simplex: [...simplex], previous: [...previous], level, logits });
    return logits;
  });
  const states = await all(generateSimplex(runner, { plan, batch, noise: seed }));

  const drawn = (logits: Float64Array, draw: number, at: number): number => {
    const own = [...logits.subarray(at * vocabulary, (at + 1) * vocabulary)];
    const order = [0, 1, 2].sort((v, w) => own[w]! - own[v]!);
    if (projection.kind === "argmax") return order[0]!;
    const weights = own.map((l) => Math.exp(2 * l));
    const sum = weights.reduce((s, w) => s + w, 0);
    let mass = 0;
    const kept = order.filter((v) => {
      const before = mass;
      mass += weights[v]! / sum;
      return before < 0.6;
    });
    // A race of exponential times at these rates.
    const time = (v: number): number =>
      -Math.log(uniform(draw, Math.floor(at / length), at % length, v)) / weights[v]!;
    return kept.sort((v, w) => time(v) - time(w))[0]!;
  };
  let simplex = [...noise(0)].map((v) => k * v);
  let previous = new Array<number>(size).fill(0);
  for (let i = 0; i < steps; i++) {
    const t = steps - 1 - i;
    given[i]!.simplex.forEach((v, at) => {
      expect(v).toBeCloseTo(simplex[at]!, 6);
    });
    expect(given[i]!.previous).toEqual(previous);
    const tokens = Array.from({ length: batch * length }, (_, at) => drawn(given[i]!.logits, i + 1, at));
    expect([...states[i]!.tokens]).toEqual(tokens);
    const next = noise(i + 1);
    simplex = Array.from({ length: size }, (_, at) => {
      const x0 = tokens[Math.floor(at / vocabulary)] === at % vocabulary ? k : -k;
      return Math.sqrt(alphaBar(t - 1)) * x0 + Math.sqrt(1 - alphaBar(t - 1)) * k * next[at]!;
    });
    previous = [...given[i]!.logits];
  }
  expect(given).toHaveLength(steps);
  expect([...states.at(-1)!.tokens]).toEqual([...states.at(-2)!.tokens]);
  expect(states.at(-1)).toMatchObject({ done: true, step: steps + 1, of: steps + 1 });
});

describe("projections are fed back, draws may be given", () => {
  const [length, vocabulary, batch, k] = [2, 3, 2, 2.5];
  const size = batch * length * vocabulary;
  const hot = (tokens: ArrayLike<number>): number[] =>
    Array.from({ length: size }, (_, at) =>
      tokens[Math.floor(at / vocabulary)] === at % vocabulary ? k : -k,
    );
  const plain = parts({ projection: { kind: "sample", temperature: 0.5 } }, k);
  /** What the network saw, and what it said. */
  const recorded = () => {
    const calls: { simplex: number[]; previous: number[]; logits: Float64Array }[] = [];
    const runner = stub(length, vocabulary, ({ simplex, previous }) => {
      const logits = Float64Array.from(simplex, (v, i) => Math.sin(v + i) + previous[i]! / 3);
      calls.push({ simplex: [...simplex], previous: [...previous], logits });
      return logits;
    });
    return { calls, runner };
  };

  test("the state and what is fed back are two draws of the same logits", async () => {
    const plan = planSimplex({ ...plain, self_conditioning: { signal: "projection" } });
    const uniform = seededUniforms(7, vocabulary);
    const drawn = (logits: Float64Array, draw: number): number[] =>
      Array.from({ length: batch * length }, (_, at) => {
        const weights = [...logits.subarray(at * vocabulary, (at + 1) * vocabulary)].map((l) =>
          Math.exp(2 * l),
        );
        const time = (v: number): number =>
          -Math.log(uniform(draw, Math.floor(at / length), at % length, v)) / weights[v]!;
        return [0, 1, 2].sort((v, w) => time(v) - time(w))[0]!;
      });
    const { calls, runner } = recorded();
    const states = await all(generateSimplex(runner, { plan, batch, noise: 7 }));
    expect(calls[0]!.previous).toEqual(new Array<number>(size).fill(0));
    let apart = 0;
    for (let i = 0; i < steps; i++) {
      const { logits } = calls[i]!;
      const again = drawn(logits, steps + 1 + i);
      expect([...states[i]!.tokens]).toEqual(drawn(logits, i + 1));
      if (i + 1 < steps) expect(calls[i + 1]!.previous).toEqual(hot(again));
      if (again.some((token, at) => token !== states[i]!.tokens[at])) apart++;
    }
    expect(apart).toBeGreaterThan(0);
  });

  test("a recorded run is replayed: normal numbers, and the tokens of both projections", async () => {
    const plan = planSimplex({ ...plain, self_conditioning: { signal: "projection" } });
    const normal = (draw: number) => Float64Array.from({ length: size }, (_, i) => Math.cos(7 * draw + i));
    const token = (draw: number, row: number, position: number, use?: string): number =>
      (draw + 2 * row + position + (use === "fed_back" ? 1 : 0)) % vocabulary;
    const { calls, runner } = recorded();
    const states = await all(generateSimplex(runner, { plan, batch, noise: { normal, chosen: token } }));
    const tokens = (draw: number, use?: string) =>
      Array.from({ length: batch * length }, (_, at) =>
        token(draw, Math.floor(at / length), at % length, use),
      );
    expect(calls[0]!.simplex).toEqual([...normal(0)].map((v) => k * v));
    for (let i = 0; i + 1 < steps; i++) {
      const to = alphaBar(steps - 2 - i);
      expect([...states[i]!.tokens]).toEqual(tokens(i + 1));
      expect(calls[i + 1]!.previous).toEqual(hot(tokens(i + 1, "fed_back")));
      const [x0, noise] = [hot(tokens(i + 1)), normal(i + 1)];
      for (const [at, v] of calls[i + 1]!.simplex.entries())
        expect(v).toBeCloseTo(Math.sqrt(to) * x0[at]! + Math.sqrt(1 - to) * k * noise[at]!, 6);
    }
  });

  test("numbers of another size, and of another kind of state, are refused", async () => {
    const code = async (states: AsyncIterable<TokenState>) =>
      all(states).catch((error: unknown) => (error as DlmcError).diagnostics[0]!.code);
    const noise = { normal: () => new Float64Array(size + 1) };
    const plan = planSimplex(plain);
    expect(await code(generateSimplex(recorded().runner, { plan, batch, noise }))).toBe(
      "generate/noise-size",
    );
    const tokens = planTokens({
      state_space: { kind: "absorbing", vocab_size: vocabulary },
      noise_schedule: { family: "log_linear" },
      timesteps: { kind: "linspace", num_steps: 3 },
      sampler: { kind: "ancestral" },
    });
    const runner = { length, vocabulary, logits: async () => new Float64Array(size), async dispose() {} };
    expect(await code(generateTokens(runner, { plan: tokens, batch, noise }))).toBe("generate/noise-kind");
  });
});

test("with the exact posterior of two tokens the texts have the prior's frequency", async () => {
  // log p(0 | S) - log p(1 | S) = ln(prior / (1 - prior)) + 2 alpha (S_0 - S_1) / (k sigma^2).
  const [prior, k, batch, length] = [0.2, 5, 40, 50];
  const plan = planSimplex(parts({ projection: { kind: "sample" } }, k));
  const exact = stub(length, 2, ({ simplex, level }) => {
    const signal = alphaBar(Math.round(level * steps));
    const noise = Math.max(1 - signal, 1e-12);
    return simplex.map((value, i) => {
      const other = simplex[i ^ 1]!;
      const ratio = (Math.sqrt(signal) * (value - other)) / (k * noise);
      return Math.log(i % 2 === 0 ? prior : 1 - prior) + ratio;
    }) as Float64Array;
  });
  const states = await all(generateSimplex(exact, { plan, batch, noise: 3 }));
  const n = batch * length;
  const zeros = states.at(-1)!.tokens.filter((token) => token === 0).length;
  // Four standard deviations of a binomial count.
  expect(Math.abs(zeros - n * prior)).toBeLessThan(4 * Math.sqrt(n * prior * (1 - prior)));
  // And an update draws again: the first tokens are not the last ones.
  expect(states[0]!.tokens).not.toEqual(states.at(-1)!.tokens);
});

describe("given tokens, ends and refusals", () => {
  const fixed = { tokens: Int32Array.of(2, 0), mask: Uint8Array.of(1, 0) };
  const runner = (seen: SimplexInputs[]) =>
    stub(2, 3, (inputs) => {
      seen.push({ ...inputs, simplex: inputs.simplex.slice() });
      return Float64Array.from(inputs.simplex, (_, i) => i % 3);
    });

  test("given positions are clean in every state, and told to the network", async () => {
    const seen: SimplexInputs[] = [];
    const states = await all(generateSimplex(runner(seen), { plan: planSimplex(parts({})), fixed }));
    for (const { simplex, fixedMask, fixedTokens } of seen) {
      expect([...simplex.subarray(0, 3)]).toEqual([-5, -5, 5]);
      expect([...fixedMask]).toEqual([1, 0]);
      expect([...fixedTokens]).toEqual([2, 0]);
    }
    for (const { tokens } of states) expect([...tokens]).toEqual([2, 2]);
  });

  test("final denoise: one update less, and the tokens are the best of one more call", async () => {
    const seen: SimplexInputs[] = [];
    const plan = planSimplex(parts({ final: "denoise", projection: { kind: "sample" } }));
    const states = await all(generateSimplex(runner(seen), { plan }));
    expect(states).toHaveLength(steps);
    expect(seen).toHaveLength(steps);
    expect(seen.at(-1)!.level).toBe(0);
    expect([...states.at(-1)!.tokens]).toEqual([2, 2]);
    expect([...states.at(-1)!.margins!]).toEqual([1, 1]);
  });

  test("an early stop ends with the state it was told", async () => {
    const seen: SimplexInputs[] = [];
    const plan = planSimplex(parts({}));
    const stop = ({ step }: TokenState) => step === 2;
    const states = await all(generateSimplex(runner(seen), { plan, stop }));
    expect(states.map(({ done }) => done)).toEqual([false, true]);
    expect(seen).toHaveLength(2);
  });

  test("an abort, a plan of embeddings and draws of tokens are refused", async () => {
    const plan = planSimplex(parts({}));
    const aborted = AbortSignal.abort(new Error("enough"));
    await expect(all(generateSimplex(runner([]), { plan, signal: aborted }))).rejects.toThrow("enough");
    const embeddings = planSampler(parts({}));
    const code = async (states: AsyncIterable<TokenState>) =>
      all(states).catch((error: unknown) => (error as DlmcError).diagnostics[0]!.code);
    expect(await code(generateSimplex(runner([]), { plan: embeddings }))).toBe("sampler/not-simplex");
    expect(await code(generateTokens(runner([]), { plan: embeddings }))).toBe("generate/discrete-state");
    expect(await code(generateSimplex(runner([]), { plan, noise: { uniform: () => 0.5 } }))).toBe(
      "generate/noise-kind",
    );
    expect(DlmcError).toBeDefined();
  });
});

test("the same tokens on the reference and on ONNX, given ones kept, others with another seed", async () => {
  const directory = mkdtempSync(join(tmpdir(), "dlmc-simplex-"));
  const model = join(directory, "model.json");
  writeFileSync(
    model,
    JSON.stringify({
      version: 1,
      ...parts({ projection: { kind: "sample", top_p: 0.9 } }),
      state_space: { kind: "simplex", vocab_size: 17, seq_len: 7 },
      time_conditioning: { injection: "additive", input: "t", features: { kind: "number" } },
      embedding: { dim: 12 },
      self_conditioning: { combine: "add", signal: "projection" },
      blocks: { mixer: { kind: "attention", heads: 3 } },
      conditioning: { kind: "fixed_positions", table: "own", time: "free" },
    }),
  );
  const tokens = async (target: string, seed: number) => {
    const session = await openSession({
      model,
      target,
      synthetic: 2,
      batch: 2,
      seed,
      tokens: [null, 4, null, null, 16],
    });
    try {
      const states = await all(session.states());
      expect((session.plan as SimplexPlan).value).toBe(5);
      return [...states.at(-1)!.tokens];
    } finally {
      await session.close();
    }
  };
  try {
    const reference = await tokens("reference", 5);
    expect([1, 4, 8, 11].map((at) => reference[at])).toEqual([4, 16, 4, 16]);
    expect(await tokens("onnx", 5)).toEqual(reference);
    expect(await tokens("reference", 6)).not.toEqual(reference);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
