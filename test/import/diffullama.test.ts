// DiffuLLaMA's checkpoints carry LLaMA's names; the imported network is held to LLaMA's formula in plain loops, without a
// causal mask and with logits shifted by one. Which token is the mask they do not say.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { loadModel } from "../../src/api/load.js";
import { importCheckpoint } from "../../src/index.js";
import { evaluate } from "../../src/ir/evaluate.js";
import { tensor } from "../../src/ir/tensor.js";
import {
  add,
  attend,
  beside,
  columns,
  difference,
  each,
  linear,
  multiply,
  type Rows,
  rmsNorm,
  rotate,
  silu,
  stored,
  type Weights,
  weightsOf,
} from "./plain.js";

const work = mkdtempSync(join(tmpdir(), "dlmc-diffullama-"));
afterAll(() => rmSync(work, { recursive: true, force: true }));

const size = { vocab: 13, width: 12, heads: 4, kv: 2, head: 6, hidden: 10, layers: 2 };
const config = {
  model_type: "llama",
  num_attention_heads: size.heads,
  num_key_value_heads: size.kv,
  head_dim: size.head,
  rms_norm_eps: 1e-6,
  rope_theta: 500,
};

const layer = (i: number): Record<string, readonly number[]> => {
  const at = `model.layers.${i}`;
  return {
    [`${at}.input_layernorm.weight`]: [size.width],
    [`${at}.post_attention_layernorm.weight`]: [size.width],
    [`${at}.self_attn.q_proj.weight`]: [size.heads * size.head, size.width],
    [`${at}.self_attn.k_proj.weight`]: [size.kv * size.head, size.width],
    [`${at}.self_attn.v_proj.weight`]: [size.kv * size.head, size.width],
    [`${at}.self_attn.o_proj.weight`]: [size.width, size.heads * size.head],
    [`${at}.mlp.gate_proj.weight`]: [size.hidden, size.width],
    [`${at}.mlp.up_proj.weight`]: [size.hidden, size.width],
    [`${at}.mlp.down_proj.weight`]: [size.width, size.hidden],
  };
};

const checkpoint = (tied: boolean): Weights =>
  weightsOf({
    "model.embed_tokens.weight": [size.vocab, size.width],
    ...Object.assign({}, ...Array.from({ length: size.layers }, (_, i) => layer(i))),
    "model.norm.weight": [size.width],
    ...(!tied && { "lm_head.weight": [size.vocab, size.width] }),
  });

function logits(weights: Weights, tokens: readonly number[]): Rows {
  const { rms_norm_eps: eps, rope_theta: base } = config;
  const vector = (name: string) => weights[`${name}.weight`]!.data;
  const table = vector("model.embed_tokens");
  let x: Rows = tokens.map((token) => table.slice(token * size.width, (token + 1) * size.width));
  for (let i = 0; i < size.layers; i++) {
    const at = `model.layers.${i}`;
    const h = rmsNorm(x, vector(`${at}.input_layernorm`), eps);
    const [q, k, v] = ["q_proj", "k_proj", "v_proj"].map((name) =>
      linear(h, weights, `${at}.self_attn.${name}`),
    );
    const turned = (all: Rows, head: number) => rotate(columns(all, head * size.head, size.head), base);
    const heads = Array.from({ length: size.heads }, (_, head) => {
      const shared = Math.floor((head * size.kv) / size.heads);
      return attend(
        turned(q!, head),
        turned(k!, shared),
        columns(v!, shared * size.head, size.head),
        () => true,
      );
    });
    x = add(x, linear(beside(heads), weights, `${at}.self_attn.o_proj`));
    const g = rmsNorm(x, vector(`${at}.post_attention_layernorm`), eps);
    const gate = each(linear(g, weights, `${at}.mlp.gate_proj`), silu);
    x = add(
      x,
      linear(multiply(gate, linear(g, weights, `${at}.mlp.up_proj`)), weights, `${at}.mlp.down_proj`),
    );
  }
  const head = weights["lm_head.weight"] === undefined ? "model.embed_tokens" : "lm_head";
  const all = linear(rmsNorm(x, vector("model.norm"), eps), weights, head);
  return all.map((_, t) => all[Math.max(0, t - 1)]!);
}

it.each([{ tied: false }, { tied: true }])("imports LLaMA's names, tied head: $tied", ({ tied }) => {
  const weights = checkpoint(tied);
  const tokens = [3, 12, 0, 12, 12, 7, 12, 1, 12];
  const directory = join(work, `tied-${tied}`);
  mkdirSync(directory);
  writeFileSync(join(directory, "model.safetensors"), stored(weights));
  writeFileSync(join(directory, "config.json"), JSON.stringify(config));
  const imported = importCheckpoint({
    checkpoint: directory,
    out: join(directory, "model.json"),
    length: tokens.length,
    values: { mask: 12 },
  });
  expect(imported.layout).toBe("diffullama");
  const { module } = loadModel({ model: imported.model });
  const graph = module.graphs.find(({ name }) => name === "denoise")!;
  const given: Record<string, ReturnType<typeof tensor>> = {
    tokens: tensor("i32", [1, tokens.length], Float64Array.from(tokens)),
    level: tensor("f32", [1], Float64Array.of(0.5)),
  };
  const results = evaluate(
    module,
    "denoise",
    graph.inputs.map(({ hint }) => given[hint!]!),
  );
  const found = results[graph.outputNames.indexOf("logits")]!.data;
  expect(difference(found, logits(weights, tokens))).toBeLessThan(1e-12);
});

it("does not take LLaMA itself for a diffusion model: the mask's token has to be said", () => {
  const directory = join(work, "llama");
  mkdirSync(directory);
  writeFileSync(join(directory, "model.safetensors"), stored(checkpoint(false)));
  writeFileSync(join(directory, "config.json"), JSON.stringify(config));
  const out = join(directory, "model.json");
  expect(() => importCheckpoint({ checkpoint: directory, out })).toThrow(/mask/);
});
