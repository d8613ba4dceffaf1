// What every block adds to its input by layers of its own, against plain arithmetic: the noise level and the previous
// prediction, behind the long skip.
import { expect, test } from "vitest";
import { evaluate } from "../../src/ir/evaluate.js";
import { findGraph } from "../../src/ir/graph.js";
import { tensor } from "../../src/ir/tensor.js";
import { loaded } from "./loaded.js";

const [length, width] = [3, 2];

test.each(["none", "add_input"] as const)("with the long skip %s", (long_skip) => {
  // A mixer of one tap: every block is x + taps x + bias, without a norm or a feed-forward network.
  const block = { placement: "none", mixer: { kind: "short_conv", taps: 1 }, ffn: { kind: "none" } };
  const description = {
    state_space: { kind: "latent", seq_len: length },
    embedding: { dim: width },
    noise_schedule: { family: "cosine", discretization: { kind: "continuous" } },
    timesteps: { kind: "linspace", from: 0.99, to: 0.01, num_steps: 3 },
    time_conditioning: {
      injection: "additive",
      at: "blocks",
      features: { kind: "number" },
      mlp: { dims: [] },
    },
    self_conditioning: { combine: "add", at: "blocks" },
    prediction_type: { final_norm: { kind: "none" } },
    blocks: [block, { ...block, long_skip }],
  };
  const { module, store, parameters } = loaded(description, 6);
  const level = 0.7;
  const numbers = Array.from({ length: 2 * length * width }, (_, i) => Math.sin(2 * i + 1));
  const [x, previous] = [numbers.slice(0, length * width), numbers.slice(length * width)];
  const given = {
    x: tensor("f32", [1, length, width], Float64Array.from(x)),
    self_cond: tensor("f32", [1, length, width], Float64Array.from(previous)),
    level: tensor("f32", [1], Float64Array.of(level)),
  };
  const inputs = findGraph(module, "denoise")!.inputs.map(({ hint }) => given[hint as keyof typeof given]);
  const found = evaluate(module, "denoise", inputs)[0]!.data;
  const layer = (name: string, v: readonly number[]): number[] => {
    const [{ data: matrix }, { data: bias }] = [store.read(`${name}.weight`), store.read(`${name}.bias`)];
    return Array.from(bias, (b, o) =>
      v.reduce((sum, value, k) => sum + matrix[o * v.length + k]! * value, b),
    );
  };
  const mixed = (i: number, h: readonly number[]): number[] => {
    const taps = parameters.filter(({ name }) => name.startsWith(`blocks.${i}.mixer.`));
    const [weight, bias] = taps.map(({ name }) => store.read(name).data);
    return h.map((v, c) => v + weight![c]! * v + (bias?.[c] ?? 0));
  };
  for (let t = 0; t < length; t++) {
    const row = (of: readonly number[]) => of.slice(t * width, (t + 1) * width);
    const told = (i: number, h: readonly number[]): number[] => {
      const [time, fed] = [
        layer(`blocks.${i}.time`, [level]),
        layer(`blocks.${i}.self_conditioning`, row(previous)),
      ];
      return h.map((v, c) => v + time[c]! + fed[c]!);
    };
    const first = mixed(0, told(0, row(x)));
    const skipped = long_skip === "none" ? first : first.map((v, c) => v + row(x)[c]!);
    mixed(1, told(1, skipped)).forEach((v, c) => {
      expect(found[t * width + c]).toBeCloseTo(v, 12);
    });
  }
});
