// SDAR's checkpoints carry Qwen3's names; the imported network is held to Qwen3's formula in plain loops: grouped keys, a
// norm of every head's queries and keys, and positions that see their own block and those before it.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { checkpointIn, importedLogits } from "./imported.js";
import { type Llama, llamaLogits, llamaWeights } from "./llama.js";
import { difference } from "./plain.js";

const work = mkdtempSync(join(tmpdir(), "dlmc-sdar-"));
afterAll(() => rmSync(work, { recursive: true, force: true }));

const block = 3;
const net: Llama = {
  ...{ vocab: 13, width: 12, heads: 4, kv: 2, head: 6, hidden: 10, layers: 2 },
  ...{ eps: 1e-5, base: 500, qkNorm: true },
  sees: (to, from) => Math.floor(from / block) <= Math.floor(to / block),
};
const config = {
  model_type: "sdar",
  architectures: ["SDARForCausalLM"],
  num_attention_heads: net.heads,
  num_key_value_heads: net.kv,
  head_dim: net.head,
  rms_norm_eps: net.eps,
  rope_theta: net.base,
  mask_token_id: 12,
  block_size: block,
};

it.each([{ tied: false }, { tied: true }])("imports Qwen3's names, tied head: $tied", ({ tied }) => {
  const weights = llamaWeights(net, tied);
  const tokens = [3, 12, 0, 12, 12, 7, 12, 1, 12];
  const { layout, logits } = importedLogits(
    checkpointIn(join(work, `tied-${tied}`), weights, config),
    tokens,
  );
  expect(layout).toBe("sdar");
  expect(difference(logits, llamaLogits(net, weights, tokens))).toBeLessThan(1e-12);
});
