// A model's parameters against a checkpoint: what is found, and one clear message for all that is wrong.

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { type Diagnostic, Report } from "../../src/support/diagnostic.js";
import { memorySource } from "../../src/weights/byte-source.js";
import type { WeightMap } from "../../src/weights/name-map.js";
import { openCheckpoint } from "../../src/weights/open.js";
import { resolveParameters } from "../../src/weights/resolve.js";
import type { Checkpoint } from "../../src/weights/safetensors.js";
import { openShards } from "../../src/weights/shards.js";
import type { ParameterDeclaration, WeightStore } from "../../src/weights/store.js";
import { encodeSafetensors, type TensorToWrite } from "../../src/weights/writer.js";
import { f32, open } from "./helpers.js";

/** A float32 tensor; `values` are repeated to fill the shape. */
function real(name: string, shape: readonly number[], ...values: readonly number[]): TensorToWrite {
  const size = shape.reduce((n, extent) => n * extent, 1);
  const data = Array.from({ length: size }, (_, i) => (values.length > 0 ? values[i % values.length]! : i));
  return { name, dtype: "F32", shape, bytes: () => f32(...data) };
}

function raw(
  name: string,
  dtype: TensorToWrite["dtype"],
  shape: readonly number[],
  ...bytes: readonly number[]
): TensorToWrite {
  return { name, dtype, shape, bytes: () => Uint8Array.from(bytes) };
}

function parameter(name: string, ...shape: readonly number[]): ParameterDeclaration {
  return { name, shape, pointer: `/of/${name}` };
}

function resolve(
  declared: readonly ParameterDeclaration[],
  file: Checkpoint | readonly TensorToWrite[],
  weights: WeightMap = {},
): { readonly store: WeightStore; readonly found: readonly Diagnostic[] } {
  const report = new Report("model.json");
  const checkpoint = "names" in file ? file : open(encodeSafetensors(file));
  const store = resolveParameters(declared, checkpoint, weights, report);
  return { store, found: report.diagnostics };
}

/** Exactly one error with this code. */
function only(found: readonly Diagnostic[], code: string): Diagnostic {
  expect(found.map((d) => `${d.severity} ${d.code}`)).toEqual([`error ${code}`]);
  expect(found[0]!.help).toBeDefined();
  return found[0]!;
}

test("equal names need no map", () => {
  const { store, found } = resolve([parameter("a.weight", 2, 2)], [real("a.weight", [2, 2])]);
  expect(found).toEqual([]);
  expect([...store.names()]).toEqual(["a.weight"]);
  expect(store.info("a.weight")).toEqual({ dtype: "F32", shape: [2, 2] });
  expect(store.read("a.weight")).toEqual({
    element: "f32",
    shape: [2, 2],
    data: Float64Array.of(0, 1, 2, 3),
  });
  expect(store.info("b")).toBeUndefined();
  expect(() => store.read("b")).toThrow(/never declared/);
});

test("the layouts of Hyena's state dict", () => {
  const { store, found } = resolve(
    [
      parameter("short_conv.weight", 4, 3),
      parameter("filters.0.frequency", 2),
      parameter("filters.0.mlp.3.weight", 2, 2),
      parameter("filters.1.mlp.3.weight", 2, 2),
      parameter("filters.0.skip", 2),
      parameter("attention.qkv.weight", 3, 2),
    ],
    [
      real("short_filter.weight", [4, 1, 3]),
      real("filter_fn.implicit_filter.1.freq", [1, 2], 10),
      real("filter_fn.implicit_filter.3.freq", [1, 2], 10),
      real("filter_fn.implicit_filter.5.freq", [1, 2], 10),
      // Two filters stacked on the first axis.
      real("filter_fn.implicit_filter.6.weight", [4, 2]),
      real("filter_fn.bias", [2]),
      real("q.weight", [1, 2], 1, 2),
      real("k.weight", [1, 2], 3, 4),
      real("v.weight", [1, 2], 5, 6),
      raw("position_ids", "I64", [1], 0, 0, 0, 0, 0, 0, 0, 0),
    ],
    {
      map: {
        "short_conv.weight": { from: "short_filter.weight", transforms: [{ kind: "squeeze", axes: [1] }] },
        "filters.0.frequency": {
          from: "filter_fn.implicit_filter.1.freq",
          transforms: [{ kind: "reshape", shape: [-1] }],
        },
        "filters.0.mlp.3.weight": {
          from: "filter_fn.implicit_filter.6.weight",
          transforms: [{ kind: "slice", start: 0, stop: 2 }],
        },
        "filters.1.mlp.3.weight": {
          from: "filter_fn.implicit_filter.6.weight",
          transforms: [{ kind: "slice", start: 2, stop: 4 }],
        },
        "filters.{o}.skip": "filter_fn.bias",
        "attention.qkv.weight": {
          from: ["q.weight", "k.weight", "v.weight"],
          transforms: [{ kind: "concat" }],
        },
      },
    },
  );
  // The repeated frequency is a copy, position_ids an integer buffer: neither is reported.
  expect(found).toEqual([]);
  expect(store.info("short_conv.weight")?.shape).toEqual([4, 3]);
  expect([...store.read("filters.0.frequency").data]).toEqual([10, 10]);
  expect([...store.read("filters.0.mlp.3.weight").data]).toEqual([0, 1, 2, 3]);
  expect([...store.read("filters.1.mlp.3.weight").data]).toEqual([4, 5, 6, 7]);
  expect([...store.read("attention.qkv.weight").data]).toEqual([1, 2, 3, 4, 5, 6]);
});

test("tied weights: two parameters from one tensor, or a byte-identical second tensor", () => {
  const tied = [parameter("embedding.table", 3, 2), parameter("head.weight", 3, 2)];
  const map = { map: { "head.weight": "embedding.table" } };
  expect(resolve(tied, [real("embedding.table", [3, 2])], map).found).toEqual([]);
  const copies = [real("embedding.table", [3, 2]), real("lm_head.weight", [3, 2])];
  expect(resolve(tied, copies, map).found).toEqual([]);
  const differ = [real("embedding.table", [3, 2]), real("lm_head.weight", [3, 2], 0, 1, 2, 3, 4, 6)];
  expect(only(resolve(tied, differ, map).found, "weights/unused").pointer).toBe("/lm_head.weight");
});

test("missing: both names, the nearest ones and the map's line", () => {
  const { found } = resolve([parameter("blocks.0.norm1.weight", 2)], [real("blocks.0.ln1.weight", [2])], {
    ignore: ["blocks.{i}.ln1.weight"],
  });
  const missing = only(found, "weights/missing");
  expect(missing).toMatchObject({ file: "model.json", pointer: "/of/blocks.0.norm1.weight" });
  expect(missing.message).toMatch(
    /`blocks.0.norm1.weight` \[2\] is not in the weights: `model.safetensors` has no tensor/,
  );
  expect(missing.notes).toEqual([{ message: "the file has `blocks.0.ln1.weight` F32[2]" }]);
  expect(missing.help).toContain('"blocks.{i}.norm1.weight": "blocks.{i}.ln1.weight"');
});

test("missing in every block is one message, and a common prefix is recognised", () => {
  const declared = [0, 1, 2].map((i) => parameter(`blocks.${i}.norm1.weight`, 2));
  const tensors = [0, 1, 2].map((i) => real(`model.blocks.${i}.norm1.weight`, [2]));
  const { found } = resolve(declared, tensors, { ignore: ["model.*"] });
  const missing = only(found, "weights/missing");
  expect(missing.message).toContain("(and 2 more of `blocks.{i}.norm1.weight`)");
  expect(missing.help).toContain('"blocks.{i}.norm1.weight": "model.blocks.{i}.norm1.weight"');
});

test("missing through the map: the name looked for and the map's entry", () => {
  const { found } = resolve([parameter("head.bias", 2)], [], { map: { "head.bias": "lm_head.bias" } });
  const missing = only(found, "weights/missing");
  expect(missing.message).toContain("has no tensor `lm_head.bias`");
  expect(missing.notes).toEqual([{ message: "the map sends it there", pointer: "/weights/map/head.bias" }]);
});

test("shape: what the model demands, what the file has, and who demands it", () => {
  const { found, store } = resolve([parameter("w", 2, 3)], [real("w", [3, 2])]);
  const shape = only(found, "weights/shape");
  expect(shape).toMatchObject({ file: "model.safetensors", pointer: "/w" });
  expect(shape.message).toBe("parameter `w` must have shape [2, 3], tensor `w` has [3, 2]");
  expect(shape.notes).toEqual([
    { message: "the description demands it here", pointer: "/of/w", file: "model.json" },
  ]);
  expect(shape.help).toContain('{"kind": "transpose"}');
  expect(store.info("w")).toBeUndefined();
});

test("shape: an axis of extent 1 too many is answered with a reshape", () => {
  const shape = only(resolve([parameter("w", 2, 3)], [real("w", [2, 1, 3])]).found, "weights/shape");
  expect(shape.help).toContain('{"kind": "reshape", "shape": [2, 3]}');
});

test("shape after transforms says both", () => {
  const map = { map: { w: { from: "u", transforms: [{ kind: "transpose" }] } } } as const;
  const shape = only(resolve([parameter("w", 2, 4)], [real("u", [3, 2])], map).found, "weights/shape");
  expect(shape.message).toContain("tensor `u` has [2, 3] after the map's transforms (stored: F32[3, 2])");
  expect(shape.notes).toHaveLength(2);
});

test("a transform that cannot be done points at itself", () => {
  const map = {
    map: { w: { from: "u", transforms: [{ kind: "transpose" }, { kind: "squeeze", axes: [0] }] } },
  } as const;
  const transform = only(
    resolve([parameter("w", 2, 3)], [real("u", [3, 2])], map).found,
    "weights/transform",
  );
  expect(transform).toMatchObject({ file: "model.json", pointer: "/weights/map/w/transforms/1" });
  expect(transform.message).toContain("axis 0 of [2, 3] has extent 2");
});

test("dtype: a quantised weight", () => {
  const { found } = resolve([parameter("w", 2)], [raw("w", "U8", [2], 1, 2)]);
  const dtype = only(found, "weights/dtype");
  expect(dtype.message).toBe("parameter `w` is real, but tensor `w` holds U8");
  expect(dtype.notes?.[0]?.pointer).toBe("/of/w");
});

test.each([
  ["F32", [0, 0, 0x80, 0x7f], "Infinity"],
  ["F32", [1, 0, 0x80, 0xff], "NaN"],
  ["F16", [0, 0xfc], "-Infinity"],
  ["F16", [1, 0x7c], "NaN"],
  ["BF16", [0x80, 0x7f], "Infinity"],
  ["BF16", [0xc0, 0xff], "NaN"],
  ["F64", [0, 0, 0, 0, 0, 0, 0xf8, 0x7f], "NaN"],
  ["F64", [0, 0, 0, 0, 0, 0, 0xf0, 0xff], "-Infinity"],
] as const)("nan: %s bytes %j are %s", (dtype, bad, shown) => {
  const good = bad.map(() => 0);
  const tensor = raw("w", dtype, [2, 3], ...good, ...good, ...good, ...good, ...bad, ...bad);
  const nan = only(resolve([parameter("w", 2, 3)], [tensor]).found, "weights/nan");
  expect(nan.message).toBe(
    `tensor \`w\`: element [1, 1] is ${shown}; weights must be finite (the first of 2)`,
  );
  expect(nan).toMatchObject({ file: "model.safetensors", pointer: "/w" });
});

test.each([
  ["F32", [0xff, 0xff, 0x7f, 0x7f]],
  ["F16", [0xff, 0xfb]],
  ["BF16", [0x7f, 0x7f]],
] as const)("nan: the largest %s is a number", (dtype, largest) => {
  expect(resolve([parameter("w", 1)], [raw("w", dtype, [1], ...largest)]).found).toEqual([]);
});

test("nan: the index counts from the tensor's begin, however far", () => {
  const far = new Uint8Array(4 * 1_200_000);
  new DataView(far.buffer).setFloat32(4 * 1_100_000, Number.NaN, true);
  const tensor: TensorToWrite = { name: "w", dtype: "F32", shape: [1_200_000], bytes: () => far };
  expect(only(resolve([parameter("w", 1_200_000)], [tensor]).found, "weights/nan").message).toContain(
    "element [1100000] is NaN",
  );
});

test("range: an F64 value that float32 cannot hold", () => {
  // 2^128 is the least power of two beyond float32; its largest number is (2 - 2^-23) 2^127.
  const big = raw("w", "F64", [1], 0, 0, 0, 0, 0, 0, 0xf0, 0x47);
  const range = only(resolve([parameter("w", 1)], [big]).found, "weights/range");
  expect(range.message).toContain("element [0] is 3.402823669209385e+38, beyond float32");
  const largest = raw("w", "F64", [1], 0, 0, 0, 0xe0, 0xff, 0xff, 0xef, 0x47);
  expect(resolve([parameter("w", 1)], [largest]).found).toEqual([]);
});

test("values can be left unread", () => {
  const report = new Report("model.json");
  const checkpoint = open(encodeSafetensors([real("w", [1], Number.NaN)]));
  resolveParameters([parameter("w", 1)], checkpoint, {}, report, { values: false });
  expect(report.diagnostics).toEqual([]);
});

test("unused: one message per pattern, with the line that silences it", () => {
  const used = real("w", [2]);
  const extra = [0, 1].map((i) => real(`blocks.${i}.gate.bias`, [2], i, 7));
  const unused = only(resolve([parameter("w", 2)], [used, ...extra]).found, "weights/unused");
  expect(unused).toMatchObject({ file: "model.safetensors", pointer: "/blocks.0.gate.bias" });
  expect(unused.message).toContain("(and 1 more of `blocks.{i}.gate.bias`)");
  expect(unused.help).toContain('add "blocks.{i}.gate.bias" to `weights.ignore`');
  const ignore = { ignore: ["blocks.{i}.gate.bias"] };
  expect(resolve([parameter("w", 2)], [used, ...extra], ignore).found).toEqual([]);
});

test("unused: a constant tensor is no copy of another constant tensor", () => {
  const tensors = [real("norm.weight", [2], 1), real("skip.weight", [2], 1)];
  expect(only(resolve([parameter("norm.weight", 2)], tensors).found, "weights/unused").pointer).toBe(
    "/skip.weight",
  );
});

test("unused beside missing points back at the missing one", () => {
  const { found } = resolve([parameter("a.weight", 2)], [real("b.gamma", [2])]);
  expect(found.map((d) => d.code)).toEqual(["weights/missing", "weights/unused"]);
  expect(found[1]!.help).toContain("missing parameters");
});

test("all problems come in one run", () => {
  const { found } = resolve(
    [parameter("a", 2), parameter("b", 2), parameter("c", 2), parameter("d", 2)],
    [real("a", [2], Number.NaN), real("b", [3]), raw("c", "I8", [2], 1, 2), real("e", [2])],
    { map: { f: "g" } },
  );
  expect(found.map((d) => d.code).sort()).toEqual([
    "weights/dtype",
    "weights/map-key",
    "weights/missing",
    "weights/nan",
    "weights/shape",
    "weights/unused",
  ]);
});

test("a damaged shard is one problem; what lies in it is neither missing nor unused", () => {
  const good = encodeSafetensors([real("a", [2])]);
  const checkpoint = openShards(
    "index.json",
    JSON.stringify({ weight_map: { a: "good", b: "bad", c: "bad" } }),
    {
      exists: () => true,
      open: (name) => memorySource(name === "good" ? good : good.subarray(0, 60), name),
    },
  );
  const { found } = resolve(
    [parameter("a", 2), parameter("b", 2), parameter("c", 2), parameter("d", 2)],
    checkpoint,
  );
  expect(found.map((d) => `${d.code} ${d.file}`)).toEqual([
    "safetensors/truncated bad",
    "weights/missing model.json",
  ]);
  expect(found[1]!.message).toContain("parameter `d`");
});

const langflow = new URL("../goldens/langflow-a/weights.safetensors", import.meta.url).pathname;

test("LangFlow's checkpoint under canonical names", () => {
  const block = (i: number) => [
    parameter(`blocks.${i}.norm1.weight`, 16),
    parameter(`blocks.${i}.norm2.weight`, 16),
    parameter(`blocks.${i}.ada_ln.weight`, 96, 8),
    parameter(`blocks.${i}.ada_ln.bias`, 96),
    parameter(`blocks.${i}.mixer.qkv.weight`, 48, 16),
    parameter(`blocks.${i}.mixer.out_proj.weight`, 16, 16),
    parameter(`blocks.${i}.ffn.up.weight`, 64, 16),
    parameter(`blocks.${i}.ffn.up.bias`, 64),
    parameter(`blocks.${i}.ffn.down.weight`, 16, 64),
    parameter(`blocks.${i}.ffn.down.bias`, 16),
  ];
  const declared = [
    parameter("embedding.table", 11, 16),
    parameter("time.mlp.0.weight", 8, 256),
    parameter("time.mlp.0.bias", 8),
    parameter("time.mlp.1.weight", 8, 8),
    parameter("time.mlp.1.bias", 8),
    parameter("self_conditioning.weight", 16, 32),
    ...block(0),
    ...block(1),
    parameter("final_norm.weight", 16),
    parameter("final_ada_ln.weight", 32, 8),
    parameter("final_ada_ln.bias", 32),
    parameter("head.weight", 11, 16),
    parameter("head.bias", 11),
  ];
  const block0 = "backbone.blocks.{i}";
  const checkpoint = openCheckpoint(langflow);
  const { found, store } = resolve(declared, checkpoint, {
    map: {
      "embedding.table": "backbone.vocab_embed.embedding",
      "time.mlp.0.weight": "backbone.sigma_map.mlp.0.weight",
      "time.mlp.0.bias": "backbone.sigma_map.mlp.0.bias",
      "time.mlp.1.weight": "backbone.sigma_map.mlp.2.weight",
      "time.mlp.1.bias": "backbone.sigma_map.mlp.2.bias",
      "self_conditioning.weight": "backbone.self_cond_proj.weight",
      "blocks.{i}.norm1.weight": `${block0}.norm1.weight`,
      "blocks.{i}.norm2.weight": `${block0}.norm2.weight`,
      "blocks.{i}.ada_ln.weight": `${block0}.adaLN_modulation.weight`,
      "blocks.{i}.ada_ln.bias": `${block0}.adaLN_modulation.bias`,
      "blocks.{i}.mixer.qkv.weight": `${block0}.attn_qkv.weight`,
      "blocks.{i}.mixer.out_proj.weight": `${block0}.attn_out.weight`,
      "blocks.{i}.ffn.up.weight": `${block0}.mlp.0.weight`,
      "blocks.{i}.ffn.up.bias": `${block0}.mlp.0.bias`,
      "blocks.{i}.ffn.down.weight": `${block0}.mlp.2.weight`,
      "blocks.{i}.ffn.down.bias": `${block0}.mlp.2.bias`,
      "final_norm.weight": "backbone.output_layer.norm_final.weight",
      "final_ada_ln.weight": "backbone.output_layer.adaLN_modulation.weight",
      "final_ada_ln.bias": "backbone.output_layer.adaLN_modulation.bias",
      "head.weight": "backbone.output_layer.linear.weight",
      "head.bias": "backbone.output_layer.linear.bias",
    },
    ignore: ["backbone.rotary_emb.inv_freq", "proposal.*"],
  });
  expect(found).toEqual([]);
  expect([...store.names()]).toHaveLength(declared.length);
  expect(store.read("blocks.1.mixer.qkv.weight").shape).toEqual([48, 16]);
  // The same tensor taken out of the file by the format's definition.
  const bytes = readFileSync(langflow);
  const length = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.toString("utf8", 8, 8 + length));
  const [begin, end] = header["backbone.blocks.1.attn_qkv.weight"].data_offsets;
  const stored = bytes.subarray(8 + length + begin, 8 + length + end);
  const expected = Array.from({ length: 48 * 16 }, (_, i) => stored.readFloatLE(4 * i));
  expect([...store.read("blocks.1.mixer.qkv.weight").data]).toEqual(expected);
  checkpoint.close();
});
