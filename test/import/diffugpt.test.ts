// DiffuGPT's checkpoints carry GPT-2's names, with matrices stored [in, out]; the imported network is held to GPT-2's
// formula in plain loops, without a causal mask and with logits shifted by one.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { checkpointIn, importedLogits } from "./imported.js";
import {
  add,
  attend,
  beside,
  columns,
  difference,
  each,
  geluTanh,
  layerNorm,
  linear,
  type Rows,
  type Weights,
  weightsOf,
} from "./plain.js";

const work = mkdtempSync(join(tmpdir(), "dlmc-diffugpt-"));
afterAll(() => rmSync(work, { recursive: true, force: true }));

const size = { vocab: 14, width: 12, heads: 3, hidden: 20, layers: 2, positions: 11 };

const layer = (i: number): Record<string, readonly number[]> => {
  const at = `denoise_model.h.${i}`;
  const { width, hidden } = size;
  const conv = (name: string, from: number, to: number) => ({
    [`${at}.${name}.weight`]: [from, to],
    [`${at}.${name}.bias`]: [to],
  });
  return {
    [`${at}.ln_1.weight`]: [width],
    [`${at}.ln_1.bias`]: [width],
    [`${at}.ln_2.weight`]: [width],
    [`${at}.ln_2.bias`]: [width],
    [`${at}.attn.bias`]: [1, 1, size.positions, size.positions],
    ...conv("attn.c_attn", width, 3 * width),
    ...conv("attn.c_proj", width, width),
    ...conv("mlp.c_fc", width, hidden),
    ...conv("mlp.c_proj", hidden, width),
  };
};

const checkpoint = (tied: boolean): Weights =>
  weightsOf({
    "embed_tokens.weight": [size.vocab, size.width],
    "denoise_model.wpe.weight": [size.positions, size.width],
    ...Object.assign({}, ...Array.from({ length: size.layers }, (_, i) => layer(i))),
    "denoise_model.ln_f.weight": [size.width],
    "denoise_model.ln_f.bias": [size.width],
    ...(!tied && { "lm_head.weight": [size.vocab, size.width] }),
  });

function logits(weights: Weights, tokens: readonly number[]): Rows {
  const { width, heads } = size;
  const head = width / heads;
  const row = (name: string, i: number) => weights[name]!.data.slice(i * width, (i + 1) * width);
  /** x W + b, W [in, out]. */
  const conv = (x: Rows, name: string): Rows => {
    const { shape, data } = weights[`${name}.weight`]!;
    const bias = weights[`${name}.bias`]!.data;
    return x.map((values) =>
      Array.from({ length: shape[1]! }, (_, o) =>
        values.reduce((sum, value, i) => sum + value * data[i * shape[1]! + o]!, bias[o]!),
      ),
    );
  };
  const norm = (x: Rows, name: string): Rows =>
    layerNorm(x, weights[`${name}.weight`]!.data, 1e-5).map((values) =>
      values.map((v, c) => v + weights[`${name}.bias`]!.data[c]!),
    );
  let x: Rows = tokens.map((token, t) =>
    row("embed_tokens.weight", token).map((v, c) => v + row("denoise_model.wpe.weight", t)[c]!),
  );
  for (let i = 0; i < size.layers; i++) {
    const at = `denoise_model.h.${i}`;
    const qkv = conv(norm(x, `${at}.ln_1`), `${at}.attn.c_attn`);
    const part = (which: number, h: number) => columns(qkv, which * width + h * head, head);
    const mixed = Array.from({ length: heads }, (_, h) =>
      attend(part(0, h), part(1, h), part(2, h), () => true),
    );
    x = add(x, conv(beside(mixed), `${at}.attn.c_proj`));
    const hidden = each(conv(norm(x, `${at}.ln_2`), `${at}.mlp.c_fc`), geluTanh);
    x = add(x, conv(hidden, `${at}.mlp.c_proj`));
  }
  const out = weights["lm_head.weight"] === undefined ? "embed_tokens" : "lm_head";
  const all = linear(norm(x, "denoise_model.ln_f"), weights, out);
  return all.map((_, t) => all[Math.max(0, t - 1)]!);
}

it.each([{ tied: false }, { tied: true }])("imports GPT-2's names, tied head: $tied", ({ tied }) => {
  const weights = checkpoint(tied);
  const tokens = [3, 13, 0, 13, 13, 7, 13];
  const config = { model_type: "gpt2", n_head: size.heads };
  const imported = importedLogits(checkpointIn(join(work, `tied-${tied}`), weights, config), tokens);
  expect(imported.layout).toBe("diffugpt");
  expect(imported.description).toMatchObject({ state_space: { mask_token_id: 13 } });
  expect(imported.inputs).toEqual(["tokens"]);
  expect(difference(imported.logits, logits(weights, tokens))).toBeLessThan(1e-12);
});
