// @prefix and @block, block after block with what is kept between them, against @denoise of the whole sequence: random
// descriptions of networks in which nothing sees later blocks, in float64, blocks settling as a whole or in part. And
// what the pass refuses.
import fc from "fast-check";
import { expect, test } from "vitest";
import { describe as read } from "../../src/compile.js";
import { evaluate } from "../../src/ir/evaluate.js";
import { findGraph, type Module } from "../../src/ir/graph.js";
import { count, type Tensor, tensor } from "../../src/ir/tensor.js";
import { lower } from "../../src/lower/index.js";
import { cacheBlocks } from "../../src/passes/cache-blocks.js";
import { runPasses } from "../../src/passes/pass.js";
import { type Diagnostic, DlmcError } from "../../src/support/diagnostic.js";
import { syntheticStore } from "../../src/weights/synthetic.js";

function moduleOf(description: object): Module {
  const { module, parameters } = lower(read(JSON.stringify(description), "model.json").description);
  const store = syntheticStore(parameters, 3);
  return { ...module, weights: { has: () => true, read: (name) => store.read(name) } };
}

type Named = Record<string, Tensor>;

function run(module: Module, name: string, inputs: Named): Named {
  const graph = findGraph(module, name)!;
  const outputs = evaluate(
    module,
    name,
    graph.inputs.map((v) => inputs[v.hint!]!),
  );
  return Object.fromEntries(graph.outputNames.map((output, i) => [output, outputs[i]!]));
}

/** Blocks of s positions, of which multiples of u settle, as many times u as `settles` says, in turn. */
interface Sizes {
  readonly size: number;
  readonly unit: number;
  readonly settles: readonly number[];
}

/** Logits [B, L, V] block by block, by the contract of src/passes/cache/block-writer.ts; unsettled rows hold anything. */
function blockwise(module: Module, tokens: Tensor, { size, unit, settles }: Sizes): Float64Array {
  const [batch, length] = tokens.shape as [number, number];
  const graphs = ["block", "prefix"].map((name) => findGraph(module, name));
  const kept: Named = {};
  for (const value of graphs.flatMap((graph) => graph?.inputs ?? [])) {
    const shape = value.type.shape.map((extent) => extent.value ?? batch);
    const fill = value.hint!.startsWith("cache.") ? 1e3 : 0;
    kept[value.hint!] = tensor("f32", shape, new Float64Array(count(shape)).fill(fill));
  }
  kept.level = tensor("f32", [batch], new Float64Array(batch).fill(0.3));
  const vocabulary = graphs[0]!.outputs[0]!.type.shape[2]!.value!;
  const all = new Float64Array(batch * length * vocabulary);
  const last = (Math.ceil(length / unit) - 1) * unit;
  for (let start = 0, turn = 0; ; turn++) {
    const settled = Math.min(settles[turn % settles.length]! * unit, last - start);
    const own = new Float64Array(batch * size);
    for (let b = 0; b < batch; b++)
      for (let i = 0; i < size && start + i < length; i++)
        own[b * size + i] = tokens.data[b * length + start + i]!;
    kept.tokens = tensor("i32", [batch, size], own);
    kept.positions = tensor(
      "i32",
      [size],
      Float64Array.from({ length: size }, (_, i) => start + i),
    );
    for (const name of Object.keys(kept).filter((each) => each.startsWith("after.")))
      kept[name]!.data.forEach((_, i, data) => {
        data[i] = settled + i;
      });
    if (graphs[1] !== undefined) Object.assign(kept, run(module, "prefix", kept));
    const made = run(module, "block", kept);
    for (let b = 0; b < batch; b++) {
      const rows = Math.min(size, length - start);
      all.set(
        made.logits!.data.subarray(b * size * vocabulary, (b * size + rows) * vocabulary),
        (b * length + start) * vocabulary,
      );
    }
    if (start === last) return all;
    for (const [name, rows] of Object.entries(made)) {
      if (name.startsWith("next.")) kept[name.replace("next.", "tail.")] = rows;
      if (!name.startsWith("rows.")) continue;
      const cache = kept[name.replace("rows.", "cache.")]!;
      const [, capacity, width] = cache.shape as [number, number, number];
      for (let b = 0; b < batch; b++)
        cache.data.set(
          rows.data.subarray(b * size * width, (b * size + settled) * width),
          (b * capacity + start) * width,
        );
    }
    start += settled;
  }
}

function agrees(description: object, sizes: Sizes): void {
  const module = moduleOf(description);
  const [graph] = module.graphs;
  const [, length] = graph!.inputs[0]!.type.shape.map((extent) => extent.value);
  const vocabulary = graph!.outputs[0]!.type.shape[2]!.value!;
  const tokens = tensor(
    "i32",
    [2, length!],
    Float64Array.from({ length: 2 * length! }, (_, i) => (7 * i * i + 3 * i + 1) % vocabulary),
  );
  const level = tensor("f32", [2], Float64Array.of(0.3, 0.3));
  const expected = run(module, "denoise", { tokens, level }).logits!.data;
  const cached = runPasses(module, [cacheBlocks({ block: sizes.size, settle: sizes.unit })]);
  const found = blockwise(cached, tokens, sizes);
  const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  let apart = 0;
  expected.forEach((value, at) => {
    apart = Math.max(apart, Math.abs(value - found[at]!));
  });
  expect(apart, JSON.stringify(description)).toBeLessThanOrEqual(1e-12 * largest);
}

const pick = <T>(...values: readonly T[]): fc.Arbitrary<T> => fc.constantFrom(...values);

/** Blocks of a network whose mixers see whole blocks of `size`, or less. */
function mixer(size: number): fc.Arbitrary<object> {
  const masks = [{ kind: "causal" }, { kind: "block_causal", block: size }];
  const half = size % 2 === 0 ? [{ kind: "block_causal", block: size / 2 }] : [];
  const attention = fc.record({
    kind: fc.constant("attention"),
    heads: fc.constant(4),
    head_dim: fc.constant(4),
    kv_heads: pick(1, 2, 4),
    projection: pick("separate", "fused"),
    mask: pick<object>(...masks, ...half),
    rope: pick<object>(
      { kind: "none" },
      { kind: "rotary" },
      { kind: "rotary", layout: "pair", fraction: 0.5, skip: 2 },
    ),
    qk_norm: pick<object>({ kind: "none" }, { kind: "rms" }),
  });
  const span = pick<object>(
    { span: "causal" },
    { span: "block_causal", block: size },
    ...(size % 2 === 0 ? [{ span: "block_causal", block: size / 2, reverse_filter: "shared_lag0" }] : []),
  );
  const filter = fc
    .tuple(
      span,
      pick<object>(
        { kind: "explicit" },
        { kind: "explicit", length: 4, groups: 4 },
        { kind: "implicit_mlp", width: 8, groups: 2 },
        { kind: "modal", states: 2 },
        { kind: "relative_mlp", width: 6, groups: 4 },
      ),
    )
    .map(([a, b]) => ({ ...b, ...a }));
  const convolution = fc.record({
    kind: fc.constant("long_conv"),
    filter,
    gating: pick<object>(
      { kind: "none" },
      { kind: "pre_post" },
      { kind: "hyena", order: 3 },
      {
        kind: "hyena",
        order: 5,
      },
    ),
    short_conv: pick<object>(
      { kind: "none" },
      { kind: "depthwise", taps: 3, span: "causal" },
      { kind: "depthwise", taps: 11, span: "causal" },
    ),
    skip: pick("gated_input", "input", "none"),
  });
  // Up to three blocks back, and beyond what is kept as rows.
  const short = fc.record({
    kind: fc.constant("short_conv"),
    taps: pick(4, 14, 19),
    span: fc.constant("causal"),
  });
  const states = fc.constant({ kind: "state_space", states: 3 });
  const one = fc.oneof(attention, convolution, convolution, short, states);
  const composed = fc.record({
    kind: fc.constant("parallel"),
    combine: pick("sum", "product"),
    branches: fc.tuple(
      one,
      fc.constant({ kind: "chain", mixers: [{ kind: "linear" }, { kind: "short_conv" }] }),
    ),
    out_proj: pick<object>({ kind: "none" }, { kind: "linear" }),
  });
  return fc.oneof(one, one, one, composed);
}

const description = fc
  .record({
    unit: fc.integer({ min: 1, max: 6 }),
    times: fc.integer({ min: 1, max: 3 }),
    length: fc.integer({ min: 2, max: 23 }),
  })
  .chain(({ unit, times, length }) =>
    fc.record({
      size: fc.constant(unit * times),
      unit: fc.constant(unit),
      settles: fc.array(fc.integer({ min: 1, max: times }), { minLength: 1, maxLength: 3 }),
      text: fc.record({
        version: fc.constant(1),
        state_space: fc.constant({ kind: "absorbing", vocab_size: 9, seq_len: length }),
        embedding: fc.record({
          dim: fc.constant(8),
          positions: pick<object>(
            { kind: "none" },
            { kind: "learned" },
            { kind: "learned", length: length + 2 },
            { kind: "learned", offset: 2 },
            { kind: "sinusoidal" },
          ),
          norm: pick<object>({ kind: "none" }, { kind: "layer" }),
          in_proj: pick<object[]>([], [{ out: 16 }]),
        }),
        noise_schedule: fc.constant({ family: "log_linear" }),
        timesteps: fc.constant({ kind: "linspace", num_steps: 3 }),
        time_conditioning: pick<object>(
          { injection: "none" },
          { injection: "ada_ln", input: "zero" },
          { injection: "additive", input: "zero" },
        ),
        prediction_type: pick<object>({}, { logit_shift: 1 }, { logit_softcap: 3 }),
        blocks: fc.array(
          fc.record({
            mixer: mixer(unit),
            ffn: pick<object>(
              { kind: "dense", hidden: 12 },
              { kind: "glu", hidden: 12, fused: true, structure: { kind: "block_diagonal", blocks: 3 } },
              { kind: "none" },
              {
                kind: "moe",
                experts: 6,
                top_k: 2,
                expert: { hidden: 5 },
                router: { score: "sigmoid", groups: { count: 3, keep: 2 } },
              },
            ),
          }),
          { minLength: 1, maxLength: 2 },
        ),
      }),
    }),
  );

test("every block is what the whole sequence gives", () => {
  fc.assert(
    fc.property(description, ({ text, ...sizes }) => agrees(text, sizes)),
    { numRuns: 150, seed: 5 },
  );
}, 120_000);

const refused: readonly (readonly [string, object])[] = [
  ["attention over everything", { kind: "attention", heads: 2 }],
  ["attention in a window", { kind: "attention", heads: 2, mask: { kind: "sliding", window: 2 } }],
  [
    "attention by blocks that do not fill one",
    { kind: "attention", heads: 2, mask: { kind: "block_causal", block: 3 } },
  ],
  ["a bidirectional filter", { kind: "long_conv", filter: { kind: "explicit" } }],
  ["a circular filter", { kind: "long_conv", filter: { kind: "explicit", span: "circular" } }],
  [
    "a filter by blocks that do not fill one",
    { kind: "long_conv", filter: { kind: "explicit", span: "block_causal", block: 3 } },
  ],
  ["a centred short convolution", { kind: "short_conv", taps: 3, span: "centered" }],
  [
    "attention with a bias by distance",
    { kind: "attention", heads: 2, mask: { kind: "causal" }, position_bias: { kind: "alibi" } },
  ],
  ["a selective state-space model", { kind: "selective_ssm", states: 2 }],
  ["FNet", { kind: "fnet" }],
  ["AFNO", { kind: "afno", blocks: 2 }],
];

test.each(refused)("%s has no exact cache, and the mixer is named", (_, mixer) => {
  const module = moduleOf({
    version: 1,
    state_space: { kind: "absorbing", vocab_size: 9, seq_len: 12 },
    embedding: { dim: 8 },
    noise_schedule: { family: "log_linear" },
    timesteps: { kind: "linspace", num_steps: 3 },
    blocks: [{ mixer: { kind: "short_conv", taps: 2, span: "causal" } }, { mixer }],
  });
  let found: readonly Diagnostic[] = [];
  try {
    cacheBlocks({ block: 4 }).run(module);
  } catch (error) {
    if (error instanceof DlmcError) found = error.diagnostics;
  }
  expect(found.map(({ code }) => code)).toEqual(["cache/no-rule"]);
  expect(found[0]!.pointer).toMatch(/^\/blocks\/1\/mixer/);
});
