// Guidance of a simplex state by its formulas: the network is a formula of what it is told, so both calls are known.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openSession } from "../../src/api/generate.js";
import { planSimplex } from "../../src/diffusion/simplex-plan.js";
import {
  type EncoderRows,
  type FloatArray,
  generateSimplex,
  type SimplexInputs,
  type SimplexRunner,
} from "../../src/runtime/index.js";

const [length, n, k] = [4, 5, 3];
const fixed = { tokens: Int32Array.of(2, 0, 0, 3), mask: Uint8Array.of(1, 0, 0, 1) };
const encoder: EncoderRows = { values: Float64Array.of(0.3, -0.8), mask: Uint8Array.of(1, 1) };

/** Tells all it is told: the free positions' state, the given tokens, what came before, the level, the encoder. */
function logitsOf({
  simplex,
  previous,
  level,
  fixedMask,
  fixedTokens,
  encoder: read,
}: SimplexInputs): Float64Array {
  let told = 2 * level + read!.values[0]! - 3 * read!.values[1]!;
  for (let i = 0; i < length; i++) {
    if (fixedMask[i] === 1) told += (i + 1) * (fixedTokens[i]! + 0.5);
    else for (let v = 0; v < n; v++) told += 0.1 * (v + 1) * simplex[i * n + v]!;
    for (let v = 0; v < n; v++) told += 0.05 * (v - 1.5) * (i + 1) * previous[i * n + v]!;
  }
  return Float64Array.from({ length: length * n }, (_, i) => 1.5 * Math.sin(1.7 * (i + 1) + told));
}

const copied = (inputs: SimplexInputs): SimplexInputs => ({
  ...inputs,
  simplex: inputs.simplex.slice(),
  previous: inputs.previous.slice(),
});

const softmax = (logits: ArrayLike<number>): number[] => {
  const e = Array.from(logits, Math.exp);
  const sum = e.reduce((total, v) => total + v, 0);
  return e.map((v) => v / sum);
};
const forms = {
  difference: (l: number, u: number, w: number) => u + (w + 1) * (l - u),
  mix: (l: number, u: number, w: number) => w * l + (1 - w) * u,
};

const parts = (guidance: object | undefined) => ({
  state_space: { kind: "simplex", vocab_size: n, seq_len: length, value: k },
  noise_schedule: { family: "cosine", discretization: { kind: "left_edge", num_train_steps: 4 } } as const,
  timesteps: { kind: "all" } as const,
  time_conditioning: { input: "t" } as const,
  sampler: { kind: "renoise", final: "denoise" as const, ...(guidance && { guidance }) },
});

const empty = { token: 4, first: 1, last: 0 };
const text = [1, 4, 4, 0];

for (const of of ["prediction", "probabilities"] as const)
  for (const form of ["difference", "mix"] as const)
    test.each([
      { positions: "given", fed_back: "guided" },
      { positions: "given", fed_back: "conditional" },
      { positions: "all", fed_back: "conditional" },
      { positions: "none", fed_back: "guided" },
    ] as const)(`${of}, ${form}: %o`, async ({ positions, fed_back }) => {
      const scale = 1.4;
      const guidance = {
        scale,
        form,
        of,
        fed_back,
        ...(positions !== "none" && { empty: { ...empty, positions } }),
      };
      const plan = planSimplex(parts(guidance));
      const asked: SimplexInputs[] = [];
      const runner: SimplexRunner = {
        length,
        vocabulary: n,
        async predict(inputs) {
          asked.push(copied(inputs));
          return logitsOf(inputs);
        },
        async dispose() {},
      };
      const seen: FloatArray[] = [];
      const onLogits = (logits: FloatArray) => void seen.push(logits.slice());
      const states = [];
      for await (const state of generateSimplex(runner, { plan, noise: 3, fixed, encoder, onLogits }))
        states.push(state);
      expect(asked).toHaveLength(2 * seen.length);

      let previous: number[] = new Array<number>(length * n).fill(0);
      for (const [call, logits] of seen.entries()) {
        const [with_, without] = [asked[2 * call]!, asked[2 * call + 1]!];
        expect([...with_.fixedTokens]).toEqual([2, 0, 0, 3]);
        expect([...with_.previous]).toEqual(previous);
        const given = positions === "all" ? [1, 1, 1, 1] : [1, 0, 0, 1];
        const told: SimplexInputs = {
          ...with_,
          encoder: { values: new Float64Array(2), mask: encoder.mask },
          fixedMask: Uint8Array.from(given),
          fixedTokens: Int32Array.from(
            positions === "none"
              ? fixed.tokens
              : given.map((g, i) => (g === 1 ? text[i]! : fixed.tokens[i]!)),
          ),
        };
        expect(without.simplex).toEqual(with_.simplex);
        const [l, u] = [logitsOf(with_), logitsOf(told)];
        expect(l).not.toEqual(u);
        const row = (values: FloatArray, i: number) => values.subarray(i * n, (i + 1) * n);
        const expected = Array.from({ length }, (_, i) =>
          of === "prediction"
            ? Array.from(row(l, i), (value, v) => forms[form](value, row(u, i)[v]!, scale))
            : softmax(row(l, i)).map((p, v) => forms[form](p, softmax(row(u, i))[v]!, scale)),
        );
        for (let i = 0; i < length; i++) {
          const clipped = expected[i]!.map((value) => Math.max(0, value));
          const sum = clipped.reduce((total, value) => total + value, 0);
          const found = row(logits, i);
          if (of === "probabilities")
            for (const [v, p] of softmax(found).entries()) expect(p).toBeCloseTo(clipped[v]! / sum, 12);
          else for (const [v, value] of found.entries()) expect(value).toBeCloseTo(expected[i]![v]!, 12);
          expect([...found].every(Number.isFinite)).toBe(true);
          const best = expected[i]!.indexOf(Math.max(...expected[i]!));
          expect(states[call]!.tokens[i]).toBe(fixed.mask[i] === 1 ? fixed.tokens[i] : best);
        }
        previous = [...(fed_back === "conditional" ? l : logits)];
      }
    });

test("a whole model: the reference and ONNX give the same tokens, others than without guidance", async () => {
  const directory = mkdtempSync(join(tmpdir(), "dlmc-guided-"));
  const model = join(directory, "model.json");
  const tokens = async (target: string, guidance: object | undefined) => {
    writeFileSync(
      model,
      JSON.stringify({
        version: 1,
        ...parts(guidance),
        state_space: { kind: "simplex", vocab_size: 17, seq_len: 7 },
        time_conditioning: { injection: "additive", input: "t", features: { kind: "number" } },
        embedding: { dim: 12 },
        self_conditioning: { combine: "add" },
        blocks: { mixer: { kind: "attention", heads: 3 } },
        conditioning: { kind: "fixed_positions", table: "own", time: "free" },
      }),
    );
    const session = await openSession({
      model,
      target,
      synthetic: 2,
      seed: 5,
      tokens: [null, 4, null, null, 16, 3],
    });
    try {
      let last: number[] = [];
      for await (const state of session.states()) last = [...state.tokens];
      return last;
    } finally {
      await session.close();
    }
  };
  const guidance = { scale: 5, form: "mix", fed_back: "conditional", empty: { token: 1, first: 0, last: 2 } };
  try {
    const reference = await tokens("reference", guidance);
    expect([1, 4, 5].map((at) => reference[at])).toEqual([4, 16, 3]);
    expect(await tokens("onnx", guidance)).toEqual(reference);
    expect(await tokens("reference", undefined)).not.toEqual(reference);
    const everywhere = { ...guidance, of: "probabilities", empty: { ...guidance.empty, positions: "all" } };
    expect(await tokens("onnx", everywhere)).toEqual(await tokens("reference", everywhere));
  } finally {
    rmSync(directory, { recursive: true });
  }
});
