// Long skips against plain arithmetic: blocks that double their input, whose mirrored outputs are read back.
import { expect, test } from "vitest";
import { evaluate } from "../../src/ir/evaluate.js";
import { tensor } from "../../src/ir/tensor.js";
import { loaded } from "./loaded.js";

const [length, width] = [3, 2];

test.each([
  ["concat_linear", "gave"],
  ["add_input", "began with"],
] as const)("%s: block i of n reads what block n - 1 - i %s", (kind, _) => {
  // A mixer of one tap, c: every block is x + c x, without a norm or a feed-forward network.
  const block = {
    placement: "none",
    mixer: { kind: "short_conv", taps: 1 },
    ffn: { kind: "none" },
  };
  const description = {
    state_space: { kind: "continuous_embedding", vocab_size: 9, seq_len: length },
    embedding: { dim: width },
    noise_schedule: { family: "cosine", discretization: { kind: "continuous" } },
    timesteps: { kind: "linspace", from: 0.99, to: 0.01, num_steps: 3 },
    time_conditioning: { injection: "none" },
    prediction_type: { final_norm: { kind: "none" } },
    blocks: [
      { ...block, repeat: 3 },
      { ...block, repeat: 2, long_skip: kind },
    ],
    rounding_head: { kind: "l2_nearest" },
  };
  const { module, store, parameters } = loaded(description, 6);
  const skips = parameters.filter(({ name }) => name.includes("long_skip")).map(({ name }) => name);
  expect(skips).toEqual(
    kind === "add_input"
      ? []
      : [3, 4].flatMap((i) => [`blocks.${i}.long_skip.weight`, `blocks.${i}.long_skip.bias`]),
  );
  const of = (name: string) => store.read(name).data;
  const step = (i: number, x: readonly number[]): number[] => {
    const prefix = `blocks.${i}.mixer.`;
    const taps = parameters.filter(({ name }) => name.startsWith(prefix)).map(({ name }) => of(name));
    const [weight, bias] = taps as [Float64Array, Float64Array | undefined];
    return x.map((v, c) => v + weight[c]! * v + (bias?.[c] ?? 0));
  };
  const join2 = (i: number, x: readonly number[], y: readonly number[]): number[] => {
    if (kind === "add_input") return x.map((v, o) => v + y[o]!);
    const pair = [...x, ...y];
    const w = of(`blocks.${i}.long_skip.weight`);
    return x.map((_, o) =>
      pair.reduce((sum, v, k) => sum + w[o * 2 * width + k]! * v, of(`blocks.${i}.long_skip.bias`)[o]!),
    );
  };
  const x = tensor("f32", [1, length, width], Float64Array.of(1, -2, 0.5, 3, -1, 0.25));
  const found = evaluate(module, "denoise", [x])[0]!.data;
  for (let t = 0; t < length; t++) {
    const start = [...x.data.subarray(t * width, (t + 1) * width)];
    const h0 = step(0, start);
    const h1 = step(1, h0);
    const h2 = step(2, h1);
    const [of1, of0] = kind === "add_input" ? [h0, start] : [h1, h0];
    const h3 = step(3, join2(3, h2, of1));
    const h4 = step(4, join2(4, h3, of0));
    h4.forEach((v, c) => {
      expect(found[t * width + c]).toBeCloseTo(v, 12);
    });
  }
});
