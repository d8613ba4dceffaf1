// Checkpoints as they are released: in shards of many gigabytes, in halves, under the names of training tools, with buffers.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, it, vi } from "vitest";
import { loadModel } from "../../src/api/load.js";
import { importCheckpoint } from "../../src/index.js";
import { diagnosticsOf, f32, file } from "../weights/helpers.js";
import { hollow, renamed } from "./checkpoints.js";

/** Bytes of weight files read so far. */
const read = vi.hoisted(() => ({ bytes: 0 }));
vi.mock("../../src/weights/file-source.js", async (original) => {
  const real = await original<typeof import("../../src/weights/file-source.js")>();
  return {
    ...real,
    fileSource: (path: string) => {
      const source = real.fileSource(path);
      return {
        ...source,
        readSync: (offset: number, length: number) => {
          read.bytes += length;
          return source.readSync(offset, length);
        },
      };
    },
  };
});

const work = mkdtempSync(join(tmpdir(), "dlmc-released-"));
afterAll(() => rmSync(work, { recursive: true, force: true }));

const golden = (id: string): Buffer =>
  readFileSync(fileURLToPath(new URL(`../goldens/${id}/weights.safetensors`, import.meta.url)));

function directory(name: string, files: Readonly<Record<string, Uint8Array | object>>): string {
  const path = join(work, name);
  mkdirSync(path);
  for (const [file, content] of Object.entries(files))
    writeFileSync(join(path, file), content instanceof Uint8Array ? content : JSON.stringify(content));
  return path;
}

const described = (model: string) => JSON.parse(readFileSync(model, "utf8"));

/** Shapes of Dream 7B by layer; layer 28 is what stands around them. */
function dreamShapes(part: number): Record<string, readonly number[]> {
  const [vocab, width, kv, hidden] = [152064, 3584, 512, 18944];
  if (part === 28)
    return {
      "model.embed_tokens.weight": [vocab, width],
      "model.norm.weight": [width],
      "model.rotary_emb.inv_freq": [64],
      "lm_head.weight": [vocab, width],
    };
  const at = `model.layers.${part}`;
  return {
    [`${at}.input_layernorm.weight`]: [width],
    [`${at}.post_attention_layernorm.weight`]: [width],
    [`${at}.self_attn.q_proj.weight`]: [width, width],
    [`${at}.self_attn.q_proj.bias`]: [width],
    [`${at}.self_attn.k_proj.weight`]: [kv, width],
    [`${at}.self_attn.k_proj.bias`]: [kv],
    [`${at}.self_attn.v_proj.weight`]: [kv, width],
    [`${at}.self_attn.v_proj.bias`]: [kv],
    [`${at}.self_attn.o_proj.weight`]: [width, width],
    [`${at}.mlp.gate_proj.weight`]: [hidden, width],
    [`${at}.mlp.up_proj.weight`]: [hidden, width],
    [`${at}.mlp.down_proj.weight`]: [width, hidden],
  };
}

it("a sharded Dream of 7B parameters: only headers are read", () => {
  const path = directory("dream-7b", {
    "config.json": {
      model_type: "Dream",
      num_attention_heads: 28,
      rms_norm_eps: 1e-6,
      rope_theta: 1000000.0,
      rope_scaling: null,
      mask_token_id: 151666,
    },
  });
  const index: Record<string, string> = {};
  let headers = 0;
  for (let shard = 0; shard < 4; shard++) {
    const name = `model-0000${shard + 1}-of-00004.safetensors`;
    const parts = Array.from({ length: 29 }, (_, part) => part).filter((part) => part % 4 === shard);
    const shapes = Object.assign({}, ...parts.map(dreamShapes));
    headers += hollow(join(path, name), "BF16", shapes);
    for (const tensor of Object.keys(shapes)) index[tensor] = name;
  }
  writeFileSync(join(path, "model.safetensors.index.json"), JSON.stringify({ weight_map: index }));
  read.bytes = 0;
  const { model } = importCheckpoint({ checkpoint: path, out: join(path, "model.json") });
  // Once to recognise the layout, once to bind the description to it; opening looks at a file's first 64 bytes.
  expect(read.bytes).toBeLessThanOrEqual(2 * (headers + 4 * 64));
  expect(read.bytes).toBeGreaterThan(0);
  expect(described(model)).toMatchObject({
    state_space: { vocab_size: 152064, mask_token_id: 151666 },
    blocks: {
      repeat: 28,
      mixer: { kv_heads: 4, head_dim: 128, rope: { base: 1000000 } },
      norm: { eps: 1e-6 },
    },
    rounding_head: { tied: false },
    weights: { index: "model.safetensors.index.json" },
  });
});

it("DiffusionGemma beside its images: heads of two sizes, and what the encoder stores again", () => {
  const [vocab, width, hidden, experts, expert] = [262144, 2816, 2112, 128, 704];
  const layer = (i: number): Record<string, readonly number[]> => {
    const at = `model.decoder.layers.${i}`;
    const full = i % 6 === 5;
    const [head, kv] = full ? [512, 2] : [256, 8];
    const norms = ["input", "post_attention", "pre_feedforward", "post_feedforward"].map(
      (n) => `${n}_layernorm`,
    );
    const more = [
      "post_feedforward_layernorm_1",
      "post_feedforward_layernorm_2",
      "pre_feedforward_layernorm_2",
    ];
    return {
      ...Object.fromEntries([...norms, ...more].map((norm) => [`${at}.${norm}.weight`, [width]])),
      [`${at}.self_attn.q_proj.weight`]: [16 * head, width],
      [`${at}.self_attn.k_proj.weight`]: [kv * head, width],
      ...(!full && { [`${at}.self_attn.v_proj.weight`]: [kv * head, width] }),
      [`${at}.self_attn.o_proj.weight`]: [width, 16 * head],
      [`${at}.self_attn.q_norm.weight`]: [head],
      [`${at}.self_attn.k_norm.weight`]: [head],
      [`${at}.mlp.gate_proj.weight`]: [hidden, width],
      [`${at}.mlp.up_proj.weight`]: [hidden, width],
      [`${at}.mlp.down_proj.weight`]: [width, hidden],
      [`${at}.router.scale`]: [width],
      [`${at}.router.proj.weight`]: [experts, width],
      [`${at}.router.per_expert_scale`]: [experts],
      [`${at}.experts.gate_up_proj`]: [experts, 2 * expert, width],
      [`${at}.experts.down_proj`]: [experts, width, expert],
      [`${at}.layer_scalar`]: [1],
      [`model.encoder.language_model.layers.${i}.layer_scalar`]: [1],
    };
  };
  const self = "model.decoder.self_conditioning";
  const path = directory("diffusion-gemma", {
    "config.json": {
      architectures: ["DiffusionGemmaForBlockDiffusion"],
      model_type: "diffusion_gemma",
      canvas_length: 256,
      text_config: { top_k_experts: 8, sliding_window: 1024, hidden_activation: "gelu_pytorch_tanh" },
    },
  });
  hollow(join(path, "model.safetensors"), "BF16", {
    ...Object.assign({}, ...Array.from({ length: 12 }, (_, i) => layer(i))),
    "model.decoder.embed_tokens.weight": [vocab, width],
    "model.decoder.norm.weight": [width],
    [`${self}.pre_norm.weight`]: [width],
    [`${self}.gate_proj.weight`]: [hidden, width],
    [`${self}.up_proj.weight`]: [hidden, width],
    [`${self}.down_proj.weight`]: [width, hidden],
    "model.encoder.vision_tower.std_bias": [1152],
    "model.encoder.embed_vision.embedding_projection.weight": [width, 1152],
  });
  const { model, layout } = importCheckpoint({
    checkpoint: path,
    out: join(path, "model.json"),
    length: 1280,
  });
  expect(layout).toBe("diffusion-gemma");
  const { blocks, embedding, self_conditioning, sampler, rounding_head } = described(model);
  expect(embedding).toMatchObject({ dim: width, scale: Math.sqrt(width) });
  expect(blocks).toMatchObject({
    repeat: 2,
    pattern: [
      { repeat: 5, mixer: { heads: 16, kv_heads: 8, head_dim: 256, mask: { canvas: 256, window: 1024 } } },
      { mixer: { heads: 16, kv_heads: 2, head_dim: 512, value_from: "key", mask: { canvas: 256 } } },
    ],
  });
  expect(blocks.pattern[1].ffn.branches[1].ffn).toMatchObject({
    experts,
    top_k: 8,
    expert: { hidden: expert },
  });
  expect(self_conditioning).toMatchObject({ hidden, canvas: 256, temperature: "sampler" });
  expect(sampler.final_temperature).toBeCloseTo(0.4 + 0.4 / 48, 12);
  expect(rounding_head.tied).toBe(true);
});

it("values are looked at when the model is used, not when it is imported", () => {
  const taps = { k: { dtype: "F32", shape: [2, 1], data_offsets: [0, 8] } };
  const skip = { d: { dtype: "F32", shape: [1], data_offsets: [8, 12] } };
  const path = directory("nan", { "model.safetensors": file({ ...taps, ...skip }, f32(1, Number.NaN, 2)) });
  const { model } = importCheckpoint({
    checkpoint: path,
    layout: ownLayout(),
    out: join(path, "model.json"),
  });
  expect(diagnosticsOf(() => loadModel({ model })).map(({ code }) => code)).toEqual(["weights/nan"]);
});

it.each([
  { dtype: "BF16", bits: [0x3fc0, 0xc020, 0x3e80] },
  { dtype: "F16", bits: [0x3e00, 0xc100, 0x3400] },
])("halves: $dtype", ({ dtype, bits }) => {
  const data = new Uint8Array(Uint16Array.from(bits).buffer);
  const header = {
    k: { dtype, shape: [2, 1], data_offsets: [0, 4] },
    d: { dtype, shape: [1], data_offsets: [4, 6] },
  };
  const path = directory(dtype, { "model.safetensors": file(header, data) });
  const { model } = importCheckpoint({
    checkpoint: path,
    layout: ownLayout(),
    out: join(path, "model.json"),
  });
  const { store } = loadModel({ model });
  expect([...store.read("filters.0.taps").data, ...store.read("skip.0").data]).toEqual([1.5, -2.5, 0.25]);
});

const mdlm = { model_type: "mdlm", n_heads: 2, model_length: 8 };

it.each([
  "module.",
  "_orig_mod.backbone.",
  "model._orig_mod.module.",
  "ema.backbone.",
])("looks through %s", (prefix) => {
  const path = directory(prefix, {
    "model.safetensors": renamed(golden("mdlm-a"), prefix),
    "config.json": mdlm,
  });
  const { model, layout } = importCheckpoint({ checkpoint: path, out: join(path, "model.json") });
  expect(layout).toBe("mdlm");
  expect(described(model).weights.map["embedding.table"]).toBe(`${prefix}vocab_embed.embedding`);
});

it.each([
  { layout: "mdlm", id: "mdlm-a", file: "config.json", config: mdlm },
  { layout: "sedd", id: "mdlm-a", file: "config.json", config: { graph: { type: "absorb" }, n_heads: 2 } },
  { layout: "duo", id: "mdlm-a", file: "config.json", config: { model_type: "DUO", n_heads: 2 } },
  {
    layout: "bd3-lm",
    id: "mdlm-a",
    file: "config.json",
    config: { ...mdlm, model_type: "bd3lm", block_size: 4 },
  },
  {
    layout: "diffusion-lm",
    id: "dlm-net-a",
    file: "training_args.json",
    config: { model_arch: "transformer" },
  },
  {
    layout: "diffuseq",
    id: "dlm-net-a",
    file: "training_args.json",
    config: { use_plm_init: "no", seq_len: 8 },
  },
])("systems that share a network: $file says $layout", ({ layout, id, file, config }) => {
  const path = directory(`says-${layout}`, { "model.safetensors": golden(id), [file]: config });
  const given = id === "dlm-net-a" ? { values: { heads: 2 } } : {};
  const imported = importCheckpoint({ checkpoint: path, out: join(path, "model.json"), length: 8, ...given });
  expect(imported.layout).toBe(layout);
});

it("weights beside their moving averages: asks which", () => {
  const weights = golden("mdlm-a");
  const path = directory("twice", {
    "config.json": mdlm,
    "a.safetensors": renamed(weights, "model."),
    "b.safetensors": renamed(weights, "ema."),
  });
  const names = (prefix: string): string[] => {
    const header = new TextDecoder().decode(renamed(weights, prefix)).match(/"[\w.]+":\{"dtype"/g) ?? [];
    return header.map((text) => text.slice(1, text.indexOf('":')));
  };
  const weight_map = Object.fromEntries([
    ...names("model.").map((name) => [name, "a.safetensors"]),
    ...names("ema.").map((name) => [name, "b.safetensors"]),
  ]);
  writeFileSync(join(path, "model.safetensors.index.json"), JSON.stringify({ weight_map }));
  const out = join(path, "model.json");
  const [problem] = diagnosticsOf(() => importCheckpoint({ checkpoint: path, out }));
  expect(problem?.code).toBe("import/ambiguous-prefix");
  expect(problem?.help).toContain("--prefix model., or --prefix ema.");
  importCheckpoint({ checkpoint: path, out, prefix: "ema." });
  expect(described(out).weights.map["embedding.table"]).toBe("ema.vocab_embed.embedding");
});

it("names the three nearest layouts and what each misses", () => {
  const path = directory("near", {
    "model.safetensors": file(
      {
        "model.embed_tokens.weight": { dtype: "F32", shape: [2, 1], data_offsets: [0, 8] },
        "model.norm.weight": { dtype: "F32", shape: [1], data_offsets: [8, 12] },
      },
      f32(1, 2, 3),
    ),
  });
  const [problem] = diagnosticsOf(() =>
    importCheckpoint({ checkpoint: path, out: join(path, "model.json") }),
  );
  expect(problem?.code).toBe("import/unknown-layout");
  const notes = problem?.notes?.map(({ message }) => message) ?? [];
  expect(notes.slice(0, 2).map((text) => text.split(":")[0])).toEqual([
    "nearest is diffullama",
    "then dream",
  ]);
  expect(notes[1]).toContain("lacks model.layers.{i}.self_attn.q_proj.bias");
});

it("PyTorch files: shards in one script; beside safetensors they are passed over", () => {
  const bytes = new TextEncoder().encode("PK");
  const shards = { "pytorch_model-00001-of-00002.bin": bytes, "pytorch_model-00002-of-00002.bin": bytes };
  const path = directory("pickles", shards);
  const out = join(path, "model.json");
  const [problem] = diagnosticsOf(() => importCheckpoint({ checkpoint: path, out }));
  expect(problem?.code).toBe("import/pickle");
  expect(problem?.help).toContain(
    'for f in ["pytorch_model-00001-of-00002.bin", "pytorch_model-00002-of-00002.bin"]',
  );
  expect(problem?.help?.trim().split("\n")).toHaveLength(5);
  writeFileSync(join(path, "model.safetensors"), golden("mdlm-a"));
  writeFileSync(join(path, "config.json"), JSON.stringify(mdlm));
  expect(importCheckpoint({ checkpoint: path, out }).layout).toBe("mdlm");
});

/** A causal convolution of taps k and a skip d. */
function ownLayout(): string {
  const path = join(work, "own.json");
  const layout = {
    name: "own",
    title: "A layout of one's own",
    source: "nowhere",
    recognise: { tensors: ["k", "d"] },
    values: {},
    description: {
      name: "own",
      part: "mixer",
      width: 1,
      seq_len: 2,
      mixer: {
        kind: "long_conv",
        in_proj: { kind: "none" },
        out_proj: { kind: "none" },
        filter: { kind: "explicit", span: "causal" },
      },
    },
    map: { "filters.0.taps": "k", "skip.0": "d" },
  };
  writeFileSync(path, JSON.stringify(layout));
  return path;
}
