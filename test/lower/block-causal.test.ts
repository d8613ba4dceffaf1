// Block-causal filters against the sum they stand for, y_i = sum over j with blk(j) <= blk(i) of K[i - j] u_j, in every
// layout of negative lags, on the float64 reference, as the passes expand them, and through a change of a later block.
import { expect, test } from "vitest";
import { optimise } from "../../src/compile.js";
import { evaluate } from "../../src/ir/evaluate.js";
import type { Module } from "../../src/ir/graph.js";
import { tensor } from "../../src/ir/tensor.js";
import { targets } from "../../src/targets.js";
import { loaded } from "./loaded.js";

const [length, width, block] = [11, 6, 4];
const x = Float64Array.from({ length: 2 * length * width }, (_, i) => Math.sin(3 * i + 1) * (1 + (i % 5)));

const explicit = { kind: "explicit", span: "block_causal", block };

/** A mixer that is one convolution of three filters for six channels, and its stored taps. */
function mixer(
  reverse: string,
  of: object = explicit,
): { module: Module; taps: (name: string) => Float64Array } {
  const filter = { ...of, reverse_filter: reverse, groups: 3 };
  const described = { kind: "long_conv", in_proj: { kind: "none" }, out_proj: { kind: "none" }, filter };
  const part = { version: 1, part: "mixer", width, seq_len: length, mixer: { ...described, skip: "none" } };
  const { module } = loaded(part, 1);
  return { module, taps: (name) => module.weights.read(name).data };
}

const run = (module: Module, input: Float64Array): Float64Array =>
  evaluate(module, "mixer", [tensor("f32", [input.length / (length * width), length, width], input)])[0]!
    .data;

/** K[lag] of a filter, as schema/filter.schema.json defines the layouts. */
type Kernel = (lag: number, group: number) => number;
const kernels: Readonly<Record<string, (taps: (name: string) => Float64Array) => Kernel>> = {
  offset_lag1(taps) {
    const [k, r] = [taps("filters.0.taps"), taps("filters.0.reverse.taps")];
    return (lag, g) => (lag >= 0 ? k[lag * 3 + g]! : r[(-lag - 1) * 3 + g]!);
  },
  shared_lag0(taps) {
    const [k, r] = [taps("filters.0.taps"), taps("filters.0.reverse.taps")];
    return (lag, g) => (lag >= 0 ? k[lag * 3 + g]! : 0) + (lag <= 0 ? r[-lag * 3 + g]! : 0);
  },
  full_2l(taps) {
    const k = taps("filters.0.taps");
    return (lag, g) => k[(lag >= 0 ? lag : 2 * length + lag) * 3 + g]!;
  },
};

function direct(K: Kernel): Float64Array {
  const y = new Float64Array(x.length);
  for (let b = 0; b < 2; b++)
    for (let i = 0; i < length; i++)
      for (let j = 0; j < length; j++)
        for (let c = 0; c < width; c++)
          if (Math.floor(j / block) <= Math.floor(i / block))
            y[(b * length + i) * width + c]! +=
              K(i - j, Math.floor(c / 2)) * x[(b * length + j) * width + c]!;
  return y;
}

test.each(Object.entries(kernels))("%s is the sum over the blocks seen", (reverse, kernelOf) => {
  const { module, taps } = mixer(reverse);
  const expected = direct(kernelOf(taps));
  const lowered = run(module, x);
  expected.forEach((value, at) => {
    expect(Math.abs(lowered[at]! - value)).toBeLessThan(1e-12);
  });
  for (const target of [targets.onnx, targets.wgsl]) {
    const planned = run(optimise(module, target, { batch: 2 }), x);
    expected.forEach((value, at) => {
      // The planned module's transforms round in float64.
      expect(Math.abs(planned[at]! - value)).toBeLessThan(1e-11);
    });
  }
});

test.each(["offset_lag1", "full_2l"])("a network of the lag, %s, is cut at the same places", (reverse) => {
  const network = { kind: "relative_mlp", width: 5 };
  // Sample 5 of every channel is 1: what comes out at i is K[i - 5], for lags -5 .. 5.
  const impulse = new Float64Array(length * width);
  impulse.fill(1, 5 * width, 6 * width);
  const K = run(mixer(reverse, network).module, impulse);
  const input = Float64Array.from(x.subarray(0, length * width));
  const found = run(mixer(reverse, { ...network, span: "block_causal", block }).module, input);
  for (const i of [2, 3, 4, 5])
    for (let c = 0; c < width; c++) {
      let sum = 0;
      for (let j = 0; j < length; j++)
        if (Math.floor(j / block) <= Math.floor(i / block))
          sum += K[(i - j + 5) * width + c]! * input[j * width + c]!;
      expect(Math.abs(found[i * width + c]! - sum)).toBeLessThan(1e-12);
    }
});

test("what comes in a later block changes nothing before it, and all of its own block", () => {
  const { module } = mixer("offset_lag1");
  const before = run(module, x);
  const changed = x.slice();
  const at = 2 * block - 1;
  for (let c = 0; c < width; c++) changed[at * width + c]! += 1;
  const after = run(module, changed);
  for (let t = 0; t < length; t++) {
    const same = before
      .subarray(t * width, (t + 1) * width)
      .every((value, c) => value === after[t * width + c]);
    expect(same, `position ${t}`).toBe(t < block);
  }
});
