// The whole Hyena operator, its heads, blocks and mixing steps, against the recurrence in plain loops.
import { expect, test } from "vitest";
import { expectEach, linearDirectly, runMixer } from "./mixer-alone.js";

interface Options {
  readonly order: number;
  readonly heads: number;
  readonly shared: boolean;
  readonly blocks: number;
  readonly factor: number;
  readonly outer: boolean;
  readonly mix: boolean;
}

const cases: readonly Options[] = [
  { order: 3, heads: 2, shared: true, blocks: 1, factor: 1, outer: false, mix: false },
  { order: 2, heads: 1, shared: false, blocks: 3, factor: 2, outer: false, mix: true },
  { order: 3, heads: 3, shared: true, blocks: 3, factor: 1, outer: true, mix: true },
  { order: 2, heads: 2, shared: false, blocks: 1, factor: 3, outer: true, mix: false },
  { order: 2, heads: 6, shared: true, blocks: 9, factor: 1, outer: true, mix: true },
];

test.each(cases)("%o", async ({ order, heads, shared, blocks, factor, outer, mix }) => {
  const [batch, length, width, span] = [2, 9, 6, blocks === 3 ? "bidirectional" : "causal"];
  const run = await runMixer(
    {
      kind: "long_conv",
      gating: { kind: "hyena", order, outer_mixing: outer, post_order_ffn: mix },
      heads,
      head_filters: shared ? "shared" : "own",
      blocks,
      inner_factor: factor,
      short_conv: { kind: "depthwise", taps: 4 },
      filter: { kind: "explicit", span },
      activation: "silu",
    },
    { batch, length, width },
  );
  const read = (name: string): ArrayLike<number> => run.parameter(name);
  const inner = width * factor;
  const size = inner / heads;
  const all = (order + 1) * inner;
  const projected = linearDirectly(run.x, read("in_proj.weight"), read("in_proj.bias"), width);
  const taps = read("short_conv.weight");
  const mixed = projected.map((_, i) => {
    const [channel, t] = [i % all, Math.floor(i / all) % length];
    let sum = read("short_conv.bias")[channel]!;
    // PyTorch's order: the last tap is the present.
    for (let j = 0; j < 4; j++) if (t >= j) sum += taps[channel * 4 + 3 - j]! * projected[i - j * all]!;
    return sum;
  });
  // Stream s, channel c of row n (batch and position): within each head the streams stand one after the other.
  const stream = (n: number, s: number, c: number): number =>
    mixed[n * all + Math.floor(c / size) * (order + 1) * size + s * size + (c % size)]!;
  const table = (fill: (n: number, c: number) => number): Float64Array =>
    Float64Array.from({ length: batch * length * inner }, (_, i) => fill(Math.floor(i / inner), i % inner));
  let v = table((n, c) => stream(n, order, c));
  for (let o = 0; o < order - 1; o++) {
    const gates = table((n, c) => {
      if (!outer) return stream(n, order - 1 - o, c);
      const first = c - (c % size);
      return Array.from({ length: size }, (_, j) => stream(n, order - 1 - o, first + j)).reduce(
        (a, b) => a + b,
      );
    });
    const gated = v.map((value, i) => value * gates[i]!);
    const filters = shared ? size : inner;
    const [forward, reverse] = [
      read(`filters.${o}.taps`),
      span === "causal" ? [] : read(`filters.${o}.reverse.taps`),
    ];
    const convolved = table((n, c) => {
      const [t, f, block] = [n % length, c % filters, length / blocks];
      let sum = read(`skip.${o}`)[f]! * gated[n * inner + c]!;
      const start = t - (t % block);
      for (let s = start; s < start + block; s++) {
        const lag = t - s;
        const tap = lag >= 0 ? forward[lag * filters + f]! : (reverse[(-lag - 1) * filters + f] ?? 0);
        sum += tap * gated[(n - t + s) * inner + c]!;
      }
      return sum;
    });
    v = mix
      ? table((n, c) => {
          let sum = 0;
          for (let g = 0; g < heads; g++)
            sum +=
              read(`head_mix.${o}`)[Math.floor(c / size) * heads + g]! *
              convolved[n * inner + g * size + (c % size)]!;
          return sum;
        })
      : convolved;
  }
  const y = table((n, c) => {
    const value = v[n * inner + c]! * stream(n, 0, c);
    return value / (1 + Math.exp(-value));
  });
  expect(read("skip.0").length).toBe(shared ? size : inner);
  expectEach(run, linearDirectly(y, read("out_proj.weight"), read("out_proj.bias"), inner));
});

test("stored features end with the block, not with the sequence", async () => {
  const filter = { kind: "implicit_mlp", features: "stored", reverse_filter: "full_2l", length: 3, width: 4 };
  const sizes = { batch: 1, length: 9, width: 2 };
  const run = await runMixer({ kind: "long_conv", blocks: 3, filter }, sizes);
  expect(run.parameter("filters.0.features").length).toBe(2 * 3 * 3);
  await expect(runMixer({ kind: "long_conv", filter }, sizes)).rejects.toThrow(/built for 3 positions/);
});
