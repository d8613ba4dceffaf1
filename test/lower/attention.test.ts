// Options of attention against the formula written out: one query, head and key at a time.
import { expect, test } from "vitest";
import { evaluate } from "../../src/ir/evaluate.js";
import { tensor } from "../../src/ir/tensor.js";
import { loaded } from "./loaded.js";

const [length, width, heads, kvHeads, size] = [7, 6, 4, 2, 8];
const x = Float64Array.from({ length: length * width }, (_, i) => Math.sin(5 * i + 1) * (1 + (i % 4)));

function run(mixer: object): { y: Float64Array; read: (name: string) => Float64Array } {
  const plain = {
    kind: "attention",
    heads,
    kv_heads: kvHeads,
    head_dim: size,
    bias: { qkv: false, out: false },
  };
  const { module } = loaded({ part: "mixer", width, seq_len: length, mixer: { ...plain, ...mixer } }, 5);
  const y = evaluate(module, "mixer", [tensor("f32", [1, length, width], x)])[0]!.data;
  return { y, read: (name) => module.weights.read(name).data };
}

type Row = readonly number[];
/** Rows [from, to) of a matrix [.., columns] times a vector. */
function product(
  matrix: Float64Array,
  columns: number,
  vector: ArrayLike<number>,
  from = 0,
  to = matrix.length / columns,
) {
  return Array.from({ length: to - from }, (_, r) => {
    let sum = 0;
    for (let c = 0; c < columns; c++) sum += matrix[(from + r) * columns + c]! * vector[c]!;
    return sum;
  });
}
const normed = (v: Row, eps: number, weight?: Float64Array): Row => {
  const rms = Math.sqrt(v.reduce((s, a) => s + a * a, 0) / v.length + eps);
  return v.map((a, i) => (a / rms) * (weight?.[i] ?? 1));
};

interface Form {
  readonly q: (head: number, token: Float64Array, t: number) => Row;
  readonly k: (head: number, token: Float64Array, t: number) => Row;
  readonly v: (head: number, token: Float64Array) => Row;
  readonly scale: number;
  readonly sees: (i: number, j: number) => boolean;
}

/** The mixer's output row t. */
function attended(form: Form, out: Float64Array, t: number): Row {
  const token = (j: number) => x.subarray(j * width, (j + 1) * width);
  const mixed = Array.from({ length: heads }, (_, h) => {
    const g = Math.floor((h * kvHeads) / heads);
    const q = form.q(h, token(t), t);
    const keys = Array.from({ length }, (_, j) => j).filter((j) => form.sees(t, j));
    const powers = keys.map((j) =>
      Math.exp(form.scale * form.k(g, token(j), j).reduce((s, a, c) => s + a * q[c]!, 0)),
    );
    const total = powers.reduce((s, p) => s + p, 0);
    return Array.from({ length: size }, (_, c) =>
      keys.reduce((s, j, n) => s + (powers[n]! / total) * form.v(g, token(j))[c]!, 0),
    );
  }).flat();
  return product(out, heads * size, mixed);
}

test("DiffusionGemma's full layers: values from keys, norms of q, k and v, a quarter of the frequencies, a canvas", () => {
  const eps = 0.125;
  const { y, read } = run({
    projection: "separate",
    value_from: "key",
    scale: 1,
    qk_norm: { kind: "rms", eps },
    v_norm: { kind: "rms", eps, affine: "none" },
    rope: { kind: "rotary", base: 100, fraction: 0.25, fraction_of: "frequencies" },
    mask: { kind: "canvas", canvas: 3, window: 3 },
  });
  // Pairs (i, i + 4) of eight channels; of four frequencies 100^(-i/4) the first alone turns.
  const turned = (v: Row, t: number): Row => {
    const out = [...v];
    out[0] = v[0]! * Math.cos(t) - v[4]! * Math.sin(t);
    out[4] = v[4]! * Math.cos(t) + v[0]! * Math.sin(t);
    return out;
  };
  const row = (name: string, head: number, token: Float64Array) =>
    product(read(`${name}.weight`), width, token, head * size, (head + 1) * size);
  const form: Form = {
    q: (h, token, t) => turned(normed(row("q", h, token), eps, read("q_norm.weight")), t),
    k: (h, token, t) => turned(normed(row("k", h, token), eps, read("k_norm.weight")), t),
    v: (h, token) => normed(row("k", h, token), eps),
    scale: 1,
    // A prompt of four, of which a cache of window 3 holds the last two for the canvas.
    sees: (i, j) => (i < 4 ? j <= i && i - j < 3 : j >= 2),
  };
  for (let t = 0; t < length; t++)
    attended(form, read("out_proj.weight"), t).forEach((v, i) => {
      expect(y[t * width + i]).toBeCloseTo(v, 10);
    });
});

test("LLaDA2: one fused projection, norms of q and k, the first half of the channels rotated, blocks of three", () => {
  const eps = 0.25;
  const { y, read } = run({
    qk_norm: { kind: "rms", eps },
    rope: { kind: "rotary", base: 50, fraction: 0.5 },
    mask: { kind: "block_causal", block: 3 },
  });
  // Pairs (i, i + 2) of the first four channels, frequencies 50^(-2i/4).
  const turned = (v: Row, t: number): Row => {
    const out = [...v];
    for (let i = 0; i < 2; i++) {
      const angle = t * 50 ** (-i / 2);
      out[i] = v[i]! * Math.cos(angle) - v[i + 2]! * Math.sin(angle);
      out[i + 2] = v[i + 2]! * Math.cos(angle) + v[i]! * Math.sin(angle);
    }
    return out;
  };
  const row = (head: number, token: Float64Array) =>
    product(read("qkv.weight"), width, token, head * size, (head + 1) * size);
  const form: Form = {
    q: (h, token, t) => turned(normed(row(h, token), eps, read("q_norm.weight")), t),
    k: (h, token, t) => turned(normed(row(heads + h, token), eps, read("k_norm.weight")), t),
    v: (h, token) => row(heads + kvHeads + h, token),
    scale: 1 / Math.sqrt(size),
    sees: (i, j) => Math.floor(j / 3) <= Math.floor(i / 3),
  };
  for (let t = 0; t < length; t++)
    attended(form, read("out_proj.weight"), t).forEach((v, i) => {
      expect(y[t * width + i]).toBeCloseTo(v, 10);
    });
});
