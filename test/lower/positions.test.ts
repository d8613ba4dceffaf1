// Absolute positions around blocks that add nothing: a tied head reads the embedding of a token plus its position.
import { expect, test } from "vitest";
import { evaluate } from "../../src/ir/evaluate.js";
import { tensor } from "../../src/ir/tensor.js";
import { loaded } from "./loaded.js";

const [vocabulary, length] = [7, 5];
const tokens = [3, 0, 6, 3, 1];

/** The logits, the table and whatever else is asked for of a network that only adds positions. */
function run(positions: object, width: number) {
  const description = {
    state_space: { kind: "uniform", vocab_size: vocabulary, seq_len: length },
    embedding: { dim: width, positions },
    noise_schedule: { family: "cosine", discretization: { kind: "continuous" } },
    timesteps: { kind: "linspace", from: 0.9, to: 0.1, num_steps: 4 },
    blocks: {
      placement: "none",
      mixer: { kind: "attention", heads: 1 },
      mixer_branch: { scale: 0 },
      ffn: { kind: "none" },
    },
    rounding_head: { kind: "linear", tied: true, bias: false },
  };
  const { module } = loaded(description, 5);
  const [logits] = evaluate(module, "denoise", [tensor("i32", [1, length], Float64Array.from(tokens))]);
  return { logits: logits!.data, weight: (name: string) => module.weights!.read(name) };
}

/** Each logit against (embedding of the token + position) . embedding of the row. */
function expectLogits(
  { logits, weight }: ReturnType<typeof run>,
  width: number,
  at: (t: number, component: number) => number,
): void {
  const table = weight("embedding.table").data;
  tokens.forEach((token, t) => {
    for (let v = 0; v < vocabulary; v++) {
      let sum = 0;
      for (let k = 0; k < width; k++) sum += (table[token * width + k]! + at(t, k)) * table[v * width + k]!;
      expect(logits[t * vocabulary + v]).toBeCloseTo(sum, 10);
    }
  });
}

test.each([
  { width: 6, layout: "interleaved", denominator: "half", offset: 0, max_period: 10000 },
  { width: 6, layout: "halves", denominator: "half_minus_1", offset: 2, max_period: 100 },
  { width: 7, layout: "halves", denominator: "half_minus_1", offset: 0, max_period: 10000 },
  { width: 5, layout: "interleaved", denominator: "half", offset: 3, max_period: 50 },
  { width: 2, layout: "halves", denominator: "half_minus_1", offset: 1, max_period: 10000 },
])("sines and cosines of the position, %o", ({ width, ...positions }) => {
  const half = Math.floor(width / 2);
  const over = positions.denominator === "half" ? half : half - 1;
  const wave = (t: number, k: number): number => {
    if (k === 2 * half) return 0;
    const [i, isCosine] =
      positions.layout === "halves" ? [k % half, k >= half] : [Math.floor(k / 2), k % 2 === 1];
    const angle = (t + positions.offset) * (i === 0 ? 1 : positions.max_period ** (-i / over));
    return isCosine ? Math.cos(angle) : Math.sin(angle);
  };
  expectLogits(run({ kind: "sinusoidal", ...positions }, width), width, wave);
});

test.each([
  { offset: 0, length: undefined, rows: 5 },
  { offset: 2, length: undefined, rows: 7 },
  { offset: 2, length: 9, rows: 9 },
])("a learned table is read from its offset on, %o", ({ offset, length: built, rows }) => {
  const found = run({ kind: "learned", offset, ...(built !== undefined && { length: built }) }, 4);
  const table = found.weight("embedding.positions");
  expect(table.shape).toEqual([rows, 4]);
  expectLogits(found, 4, (t, k) => table.data[(t + offset) * 4 + k]!);
});
