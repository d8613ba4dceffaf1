// Softmax attention and rotary position embedding on [B, L, heads * head_dim] activations.

import { dim } from "../dim.js";
import { attribute, choice, defineOp, withDefault } from "../op.js";
import { type Tensor, tensor } from "../tensor.js";
import { sameType, typeText } from "../type.js";

/** Which keys a query sees, see `attention`. */
export interface AttentionMask {
  readonly mask: "full" | "causal" | "block_causal" | "sliding" | "canvas";
  /** Positions of a block, width of the window, or positions of the canvas. */
  readonly span: number;
  /** Positions of the prompt that a canvas mask lets be seen; 0: all. */
  readonly window: number;
}

/** The first and the last of `keys` keys that query i sees: every mask is an interval. */
export function seenKeys(
  { mask, span, window }: AttentionMask,
  keys: number,
): (i: number) => [number, number] {
  const last = keys - 1;
  switch (mask) {
    case "full":
      return () => [0, last];
    case "causal":
      return (i) => [0, Math.min(i, last)];
    case "block_causal":
      return (i) => [0, Math.min((Math.floor(i / span) + 1) * span - 1, last)];
    case "sliding":
      return (i) => [Math.max(0, i - span + 1), Math.min(i + span - 1, last)];
    case "canvas": {
      const canvas = keys - span;
      const from = (i: number): number => (window === 0 ? 0 : Math.max(0, Math.min(i, canvas) - window + 1));
      return (i) => [from(i), i < canvas ? i : last];
    }
  }
}

/** Whether query i of as many as there are keys sees key j. */
export function sees(mask: AttentionMask, keys: number): (i: number, j: number) => boolean {
  const seen = seenKeys(mask, keys);
  return (i, j) => {
    const [from, to] = seen(i);
    return from <= j && j <= to;
  };
}

/** Weights softmax(scale q k^T) of one head row, and what they do to v. Hidden keys have no weight, unless all are. */
function attend(
  {
    q,
    k,
    v,
    visible: given,
    bias,
  }: {
    readonly q: Tensor;
    readonly k: Tensor;
    readonly v: Tensor;
    readonly visible?: Tensor | undefined;
    readonly bias?: Tensor | undefined;
  },
  heads: number,
  kvHeads: number,
  scale: number,
  inMask: (i: number, j: number) => boolean,
): Tensor {
  const [batch, length, width] = q.shape as [number, number, number];
  const keys = k.shape[1]!;
  const size = width / heads;
  const kvWidth = kvHeads * size;
  const out = tensor(q.element, q.shape);
  const scores = new Float64Array(keys);
  for (let b = 0; b < batch; b++) {
    const shown = given?.data.subarray(b * keys, (b + 1) * keys);
    const allHidden = shown?.every((one) => one === 0) ?? false;
    const visible = (i: number, j: number): boolean =>
      inMask(i, j) && (shown === undefined || allHidden || shown[j] === 1);
    for (let h = 0; h < heads; h++) {
      const kvHead = Math.floor((h * kvHeads) / heads);
      for (let i = 0; i < length; i++) {
        const from = (b * length + i) * width + h * size;
        let most = Number.NEGATIVE_INFINITY;
        for (let j = 0; j < keys; j++) {
          if (!visible(i, j)) continue;
          const at = (b * keys + j) * kvWidth + kvHead * size;
          let dot = 0;
          for (let c = 0; c < size; c++) dot += q.data[from + c]! * k.data[at + c]!;
          const distance = bias === undefined ? 0 : bias.data[h * (length + keys - 1) + length - 1 + j - i]!;
          scores[j] = allHidden ? 0 : dot * scale + distance;
          most = Math.max(most, scores[j]!);
        }
        let total = 0;
        for (let j = 0; j < keys; j++) if (visible(i, j)) total += scores[j] = Math.exp(scores[j]! - most);
        for (let j = 0; j < keys; j++) {
          if (!visible(i, j)) continue;
          const p = scores[j]! / total;
          const at = (b * keys + j) * kvWidth + kvHead * size;
          for (let c = 0; c < size; c++) out.data[from + c]! += p * v.data[at + c]!;
        }
      }
    }
  }
  return out;
}

export const attention = defineOp({
  name: "attention",
  summary:
    "y = softmax(scale q k^T + bias) v per head (Vaswani et al. 2017), bias of query i of Q and key j in column j - i + Q - 1; kv_heads < heads shares keys (GQA); query i sees key j: full always, causal j <= i, block_causal floor(j / span) <= floor(i / span), sliding |i - j| < span; canvas, with c = L - span: j <= i before c, all from c on, and with window > 0 only j > min(i, c) - window; of keys not visible none, and where no key is, the mean of all",
  operands: ["q", "k", "v", "visible?", "bias?"],
  attributes: {
    heads: attribute.int,
    kv_heads: attribute.int,
    scale: attribute.float,
    mask: withDefault(choice("full", "causal", "block_causal", "sliding", "canvas"), "full"),
    span: withDefault(attribute.int, 1),
    window: withDefault(attribute.int, 0),
  },
  fusion: "opaque",
  type({ q, k, v, visible, bias }, { heads, kv_heads, mask, span, window }, check) {
    check.that(
      q.shape.length === 3 &&
        k.shape.length === 3 &&
        q.shape[0]!.equals(k.shape[0]!) &&
        q.element === k.element &&
        sameType(k, v),
      "attention_c1",
      `q, k, v must be [B, L, width] with k like v, got ${typeText(q)}, ${typeText(k)}, ${typeText(v)}`,
    );
    check.that(
      heads > 0 && kv_heads > 0 && heads % kv_heads === 0,
      "attention_c2",
      `heads ${heads} must be a multiple of kv_heads ${kv_heads}`,
    );
    const width = q.shape[2]?.value ?? 0;
    check.that(
      width > 0 && width % heads === 0,
      "attention_c3",
      `width ${q.shape[2]} is not a multiple of heads ${heads}`,
    );
    check.that(
      (k.shape[2]?.value ?? 0) * heads === width * kv_heads,
      "attention_c4",
      `k has ${k.shape[2]} channels, expected kv_heads * head_dim = ${(kv_heads * width) / heads}`,
    );
    check.that(span > 0, "attention_c5", `a block or window of ${span} positions lets nothing be seen`);
    if (mask !== "canvas")
      check.that(window === 0, "attention_c6", `a window of ${window} is that of the mask canvas`);
    else if (q.shape.length === 3 && k.shape.length === 3)
      check.that(
        window >= 0 && span <= (q.shape[1]!.value ?? span) && q.shape[1]!.equals(k.shape[1]!),
        "attention_c6",
        `a canvas of ${span} with a window of ${window} does not fit ${q.shape[1]} queries and ${k.shape[1]} keys`,
      );
    if (visible !== undefined)
      check.that(
        mask === "full" && sameType(visible, { element: "bool", shape: k.shape.slice(0, 2) }),
        "attention_c7",
        `visible keys are bool [B, S] beside the mask full, got ${typeText(visible)} beside ${mask}`,
      );
    if (bias !== undefined)
      check.that(
        bias.element === q.element &&
          bias.shape.length === 2 &&
          bias.shape[0]!.value === heads &&
          bias.shape[1]!.equals(q.shape[1]!.plus(k.shape[1]!).minus(1)),
        "attention_c8",
        `a bias by distance is [heads, Q + K - 1], got ${typeText(bias)} for ${q.shape[1]} queries and ${k.shape[1]} keys`,
      );
    return [q];
  },
  evaluate: (operands, { heads, kv_heads, scale, ...mask }) => [
    attend(operands, heads, kv_heads, scale, sees(mask, operands.k.shape[1]!)),
  ],
  // Each score rounds like a product of head_dim terms; exp turns that into a relative error of the weights,
  // so an output is off by about |score rounding| times the mean of |v| it averages.
  rounding({ q, k, v, visible, bias }, _, { heads, kv_heads, scale, ...mask }, { ulps }) {
    const size = q.shape[2]! / heads;
    const largest = (t: Tensor): number => Math.sqrt(t.data.reduce((m, x) => Math.max(m, x * x), 0));
    const added = bias === undefined ? 0 : largest(bias);
    const score = scale * Math.sqrt(size) * largest(q) * largest(k) + added;
    const averages = attend(
      { q, k, v: { ...v, data: v.data.map(Math.abs) }, visible, bias },
      heads,
      kv_heads,
      scale,
      sees(mask, k.shape[1]!),
    );
    return [averages.data.map((x) => x * (score + ulps("exp") + ulps("div") + Math.sqrt(k.shape[1]!)))];
  },
});

/** Radians a position by which pair i turns: base^(-2i/rotary); of `turning` pairs (0: of all), the others stand still. */
export function ropeFrequency(
  i: number,
  { rotary, base, turning }: { readonly rotary: number; readonly base: number; readonly turning: number },
): number {
  return turning === 0 || i < turning ? base ** ((-2 * i) / rotary) : 0;
}

export const rope = defineOp({
  name: "rope",
  summary:
    "rotates channel pairs of each head by position * base^(-2i/rotary): half pairs (i, i + rotary/2), pair pairs (2i, 2i+1); positions count from 0 after the first `skip` (Su et al. 2021); only the first `turning` pairs turn, 0: all",
  operands: ["x"],
  attributes: {
    heads: attribute.int,
    rotary: attribute.int,
    base: attribute.float,
    layout: choice("half", "pair"),
    skip: withDefault(attribute.int, 0),
    turning: withDefault(attribute.int, 0),
  },
  fusion: "gather",
  type({ x }, { heads, rotary, turning }, check) {
    const ranked = x.shape.length === 3;
    check.that(ranked, "rope_c1", `x must be [B, L, width], got ${typeText(x)}`);
    if (!ranked) return [x];
    const size = (x.shape[2]!.value ?? 0) / heads;
    const whole = Number.isInteger(size) && size > 0;
    check.that(whole, "rope_c2", `width ${x.shape[2]} is not a multiple of heads ${heads}`);
    check.that(
      !whole || (rotary > 0 && rotary % 2 === 0 && rotary <= size),
      "rope_c3",
      `rotary channels must be even and at most head_dim ${size}, got ${rotary}`,
    );
    check.that(
      turning >= 0 && 2 * turning <= rotary,
      "rope_c4",
      `${turning} of ${rotary / 2} pairs cannot turn`,
    );
    return [x];
  },
  evaluate({ x }, { heads, rotary, base, layout, skip, turning }) {
    const [batch, length, width] = x.shape as [number, number, number];
    const out: Tensor = { ...x, data: x.data.slice() };
    const half = rotary / 2;
    for (let b = 0; b < batch; b++) {
      for (let t = skip; t < length; t++) {
        for (let i = 0; i < half; i++) {
          const angle = (t - skip) * ropeFrequency(i, { rotary, base, turning });
          const [c, s] = [Math.cos(angle), Math.sin(angle)];
          for (let h = 0; h < heads; h++) {
            const at = (b * length + t) * width + (h * width) / heads;
            const [first, second] =
              layout === "half" ? [at + i, at + i + half] : [at + 2 * i, at + 2 * i + 1];
            const [x1, x2] = [x.data[first]!, x.data[second]!];
            out.data[first] = x1 * c - x2 * s;
            out.data[second] = x2 * c + x1 * s;
          }
        }
      }
    }
    return [out];
  },
  // Tables are rounded once: two products and a sum, and each factor is off by half an ULP.
  rounding({ x }, _, { heads }) {
    const size = dim(x.shape[2]! / heads).value!;
    const out = new Float64Array(x.data.length);
    for (let start = 0; start < out.length; start += size) {
      const most = x.data.subarray(start, start + size).reduce((m, v) => Math.max(m, Math.abs(v)), 0);
      out.fill(3 * most, start, start + size);
    }
    return [out];
  },
});
