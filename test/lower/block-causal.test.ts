// Block-causal filters against the sum they stand for, y_i = sum over j with blk(j) <= blk(i) of K[i - j] u_j, in every
// layout of negative lags, on the float64 reference, as the passes expand them, and through a change of a later block.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { loadModel } from "../../src/api/load.js";
import { optimise } from "../../src/compile.js";
import { evaluate } from "../../src/ir/evaluate.js";
import type { Module } from "../../src/ir/graph.js";
import { tensor } from "../../src/ir/tensor.js";
import { targets } from "../../src/targets.js";

const [length, width, block] = [11, 6, 4];
const x = Float64Array.from({ length: 2 * length * width }, (_, i) => Math.sin(3 * i + 1) * (1 + (i % 5)));

/** A mixer that is one convolution of three filters for six channels, and its stored taps. */
function mixer(reverse: string): { module: Module; taps: (name: string) => Float64Array } {
  const directory = mkdtempSync(join(tmpdir(), "dlmc-block-causal-"));
  try {
    const model = join(directory, "model.json");
    const filter = { kind: "explicit", span: "block_causal", block, reverse_filter: reverse, groups: 3 };
    const described = { kind: "long_conv", in_proj: { kind: "none" }, out_proj: { kind: "none" }, filter };
    const part = { version: 1, part: "mixer", width, seq_len: length, mixer: { ...described, skip: "none" } };
    writeFileSync(model, JSON.stringify(part));
    const { module } = loadModel({ model, synthetic: 1 });
    return { module, taps: (name) => module.weights.read(name).data };
  } finally {
    rmSync(directory, { recursive: true });
  }
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
