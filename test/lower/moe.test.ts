// Mixtures of experts against a loop over tokens, written from the definition: choose, weigh, run each chosen expert.
import { expect, test } from "vitest";
import { evaluate } from "../../src/ir/evaluate.js";
import type { Module } from "../../src/ir/graph.js";
import { tensor } from "../../src/ir/tensor.js";
import { loaded } from "./loaded.js";

const [length, width] = [9, 6];
const noBias = { up: false, down: false };
const x = Float64Array.from({ length: length * width }, (_, i) => Math.sin(5 * i + 1) * (1 + (i % 4)));

type Read = (name: string) => Float64Array;

/** What the feed-forward network of a block adds to x; the mixer's branch adds nothing. */
function run(
  ffn: object,
  change: (name: string, data: Float64Array) => Float64Array = (_, data) => data,
  around: object = {},
) {
  const mixer = { kind: "attention", heads: 1 };
  const block = { placement: "none", mixer, mixer_branch: { scale: 0 }, ffn_branch: around, ffn };
  const { module } = loaded({ part: "block", width, seq_len: length, block }, 3);
  const weights = module.weights;
  const read: Read = (name) => change(name, weights.read(name).data);
  const changed: Module = {
    ...module,
    weights: {
      ...weights,
      has: (n) => weights.has(n),
      read: (n) => ({ ...weights.read(n), data: read(n) }),
    },
  };
  const y = evaluate(changed, "block", [tensor("f32", [1, length, width], x)])[0]!.data;
  return { y: y.map((v, i) => v - x[i]!), read };
}

const rowsOf = (data: Float64Array, n: number) =>
  Array.from({ length: data.length / n }, (_, r) => data.subarray(r * n, (r + 1) * n));
const dot = (a: ArrayLike<number>, b: ArrayLike<number>) => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
};
const silu = (v: number) => v / (1 + Math.exp(-v));
const product = (rows: readonly Float64Array[], v: ArrayLike<number>) => rows.map((row) => dot(row, v));

/** Expert e of E gated experts of a hidden width, for one token. */
function expert(read: Read, e: number, count: number, hidden: number, token: Float64Array): number[] {
  const own = (name: string) =>
    rowsOf(read(`ffn.experts.${name}.weight`), width).slice(e * hidden, (e + 1) * hidden);
  const up = product(own("up"), token);
  const units = product(own("gate"), token).map((v, i) => silu(v) * up[i]!);
  return rowsOf(read("ffn.experts.down.weight"), count * hidden).map((row) =>
    dot(row.subarray(e * hidden, (e + 1) * hidden), units),
  );
}

/** Row t of y is the expected one. */
function expectRow(y: Float64Array, t: number, expected: ArrayLike<number>): void {
  for (let i = 0; i < width; i++) expect(y[t * width + i]).toBeCloseTo(expected[i]!, 10);
}

/** Indices by falling number, equals by rising index. */
const order = (s: readonly number[]) => s.map((_, i) => i).sort((i, j) => s[j]! - s[i]! || i - j);

test("softmax scores: the two best experts of five, their weights divided by their sum", () => {
  const [count, hidden] = [5, 7];
  const { y, read } = run({ kind: "moe", experts: count, top_k: 2, expert: { hidden } });
  const router = rowsOf(read("ffn.router.weight"), width);
  const used = new Set<number>();
  rowsOf(x, width).forEach((token, t) => {
    const scores = product(router, token).map(Math.exp);
    const chosen = order(scores).slice(0, 2);
    const sum = chosen.reduce((s, e) => s + scores[e]!, 0);
    const expected = new Array<number>(width).fill(0);
    for (const e of chosen) {
      used.add(e);
      for (const [i, v] of expert(read, e, count, hidden, token).entries())
        expected[i]! += (scores[e]! / sum) * v;
    }
    expectRow(y, t, expected);
  });
  expect(used.size).toBeGreaterThan(2);
});

test("without normalisation the weights are the scores of the softmax over all experts", () => {
  const [count, hidden] = [5, 3];
  const router = { normalize: false, bias: true, input_scale: 0.5, norm: { kind: "rms", eps: 0.25 } };
  const { y, read } = run({ kind: "moe", experts: count, top_k: 3, expert: { hidden }, router });
  rowsOf(x, width).forEach((token, t) => {
    const size = Math.sqrt(dot(token, token) / width + 0.25);
    const normed = token.map((v, i) => (v / size) * read("ffn.router.norm.weight")[i]!);
    const logits = product(rowsOf(read("ffn.router.weight"), width), normed);
    const powers = logits.map((v, e) => Math.exp(0.5 * v + read("ffn.router.bias")[e]!));
    const sum = powers.reduce((s, v) => s + v, 0);
    const expected = new Array<number>(width).fill(0);
    for (const e of order(powers).slice(0, 3))
      expert(read, e, count, hidden, token).forEach((v, i) => {
        expected[i]! += (powers[e]! / sum) * v;
      });
    expectRow(y, t, expected);
  });
});

test("LLaDA2: sigmoid scores, a bias for the choice alone, groups by their two best, a shared expert", () => {
  const [count, groups, keep, top, hidden] = [12, 4, 2, 3, 5];
  const { y, read } = run({
    kind: "moe",
    experts: count,
    top_k: top,
    expert: { hidden },
    router: { score: "sigmoid", expert_bias: true, groups: { count: groups, keep }, scale: 2.5 },
    shared: { kind: "glu", hidden: 4, bias: noBias },
  });
  const bias = read("ffn.router.expert_bias");
  let limited = 0;
  let moved = 0;
  rowsOf(x, width).forEach((token, t) => {
    const scores = product(rowsOf(read("ffn.router.weight"), width), token).map(
      (v) => 1 / (1 + Math.exp(-v)),
    );
    const ranked = scores.map((s, e) => s + bias[e]!);
    const size = count / groups;
    const sums = Array.from({ length: groups }, (_, g) => {
      const [a, b] = [...ranked.slice(g * size, (g + 1) * size)].sort((p, q) => q - p);
      return a! + b!;
    });
    const kept = order(sums).slice(0, keep);
    const chosen = order(ranked)
      .filter((e) => kept.includes(Math.floor(e / size)))
      .slice(0, top);
    if (
      order(ranked)
        .slice(0, top)
        .some((e) => !chosen.includes(e))
    )
      limited++;
    if (
      order(scores)
        .slice(0, top)
        .some((e) => !order(ranked).slice(0, top).includes(e))
    )
      moved++;
    const sum = chosen.reduce((s, e) => s + scores[e]!, 0);
    const up = product(rowsOf(read("ffn.shared.up.weight"), width), token);
    const units = product(rowsOf(read("ffn.shared.gate.weight"), width), token).map(
      (v, i) => silu(v) * up[i]!,
    );
    const expected = product(rowsOf(read("ffn.shared.down.weight"), 4), units);
    for (const e of chosen)
      expert(read, e, count, hidden, token).forEach((v, i) => {
        expected[i]! += 2.5 * (scores[e]! / sum) * v;
      });
    expectRow(y, t, expected);
  });
  // Both features decide something here: groups take experts away, the bias brings others.
  expect(limited).toBeGreaterThan(0);
  expect(moved).toBeGreaterThan(0);
});

test("equal scores go to the lowest indices, and to no expert more than top_k", () => {
  const [count, hidden] = [4, 2];
  const flat = (name: string, data: Float64Array) =>
    name === "ffn.router.weight" ? data.map(() => 0) : data;
  const { y, read } = run({ kind: "moe", experts: count, top_k: 2, expert: { hidden } }, flat);
  rowsOf(x, width).forEach((token, t) => {
    const [a, b] = [0, 1].map((e) => expert(read, e, count, hidden, token)) as [number[], number[]];
    expectRow(
      y,
      t,
      a.map((v, i) => (v + b[i]!) / 2),
    );
  });
});

test("all experts chosen and unweighted is the sum of ungated networks, each with its trained factor", () => {
  const [count, hidden] = [3, 4];
  const { y, read } = run({
    kind: "moe",
    experts: count,
    top_k: count,
    expert: { kind: "dense", hidden, activation: "relu" },
    router: { expert_scale: true },
    norm: { kind: "rms", eps: 0.5 },
  });
  rowsOf(x, width).forEach((token, t) => {
    const powers = product(rowsOf(read("ffn.router.weight"), width), token).map(Math.exp);
    const sum = powers.reduce((s, v) => s + v, 0);
    const size = Math.sqrt(dot(token, token) / width + 0.5);
    const normed = token.map((v, i) => (v / size) * read("ffn.norm.weight")[i]!);
    const units = product(rowsOf(read("ffn.experts.up.weight"), width), normed).map((v) => Math.max(0, v));
    const weighted = units.map((v, i) => {
      const e = Math.floor(i / hidden);
      return (v * powers[e]! * read("ffn.router.expert_scale")[e]!) / sum;
    });
    expectRow(y, t, product(rowsOf(read("ffn.experts.down.weight"), count * hidden), weighted));
  });
});

test("DiffusionGemma: a dense network beside experts, norms around each and after their sum", () => {
  const [count, hidden] = [5, 3];
  const norm = { kind: "rms", eps: 0.125 };
  const dense = { kind: "glu", hidden: 7, activation: "relu", bias: noBias };
  const moe = {
    kind: "moe",
    experts: count,
    top_k: 2,
    expert: { hidden },
    norm,
    router: { norm: { ...norm, affine: "none" }, input_scale: width ** -0.5, expert_scale: true },
  };
  const branches = [
    { norm_in: norm, ffn: dense, norm_out: norm },
    { ffn: moe, norm_out: norm },
  ];
  const { y, read } = run({ kind: "parallel", branches }, undefined, { placement: "res_post", norm });
  const normed = (v: ArrayLike<number>, name?: string) => {
    const size = Math.sqrt(dot(v, v) / width + 0.125);
    return Float64Array.from(v, (a, i) => (a / size) * (name === undefined ? 1 : read(`${name}.weight`)[i]!));
  };
  const [one, two] = ["ffn.branches.0", "ffn.branches.1"];
  rowsOf(x, width).forEach((token, t) => {
    const input = normed(token, `${one}.norm_in`);
    const up = product(rowsOf(read(`${one}.up.weight`), width), input);
    const gate = product(rowsOf(read(`${one}.gate.weight`), width), input);
    const units = gate.map((v, i) => Math.max(0, v) * up[i]!);
    const first = normed(product(rowsOf(read(`${one}.down.weight`), 7), units), `${one}.norm_out`);
    const logits = product(rowsOf(read(`${two}.router.weight`), width), normed(token));
    const powers = logits.map((v) => Math.exp(v / Math.sqrt(width)));
    const chosen = order(powers).slice(0, 2);
    const sum = chosen.reduce((s, e) => s + powers[e]!, 0);
    const mixed = new Array<number>(width).fill(0);
    const branch: Read = (name) => read(name.replace(/^ffn/, two));
    for (const e of chosen) {
      const weight = (powers[e]! / sum) * read(`${two}.router.expert_scale`)[e]!;
      const part = expert(branch, e, count, hidden, normed(token, `${two}.norm`));
      for (let i = 0; i < width; i++) mixed[i]! += weight * part[i]!;
    }
    const second = normed(mixed, `${two}.norm_out`);
    expectRow(
      y,
      t,
      normed(
        first.map((v, i) => v + second[i]!),
        "norm2_out",
      ),
    );
  });
});
