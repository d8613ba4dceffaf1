// DiffuLLaMA's checkpoints carry LLaMA's names; the imported network is held to LLaMA's formula in plain loops, without a
// causal mask and with logits shifted by one. Which token is the mask they do not say.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { importCheckpoint } from "../../src/index.js";
import { checkpointIn, importedLogits } from "./imported.js";
import { type Llama, llamaLogits, llamaWeights } from "./llama.js";
import { difference } from "./plain.js";

const work = mkdtempSync(join(tmpdir(), "dlmc-diffullama-"));
afterAll(() => rmSync(work, { recursive: true, force: true }));

const net: Llama = {
  ...{ vocab: 13, width: 12, heads: 4, kv: 2, head: 6, hidden: 10, layers: 2 },
  ...{ eps: 1e-6, base: 500, qkNorm: false },
  sees: () => true,
};
const config = {
  model_type: "llama",
  num_attention_heads: net.heads,
  num_key_value_heads: net.kv,
  head_dim: net.head,
  rms_norm_eps: net.eps,
  rope_theta: net.base,
};

it.each([{ tied: false }, { tied: true }])("imports LLaMA's names, tied head: $tied", ({ tied }) => {
  const weights = llamaWeights(net, tied);
  const tokens = [3, 12, 0, 12, 12, 7, 12, 1, 12];
  const checkpoint = checkpointIn(join(work, `tied-${tied}`), weights, config);
  const { layout, logits } = importedLogits(checkpoint, tokens, { values: { mask: 12 } });
  expect(layout).toBe("diffullama");
  const own = llamaLogits(net, weights, tokens);
  const shifted = own.map((_, t) => own[Math.max(0, t - 1)]!);
  expect(difference(logits, shifted)).toBeLessThan(1e-12);
});

it("does not take LLaMA itself for a diffusion model: the mask's token has to be said", () => {
  const checkpoint = checkpointIn(join(work, "llama"), llamaWeights(net, false), config);
  expect(() => importCheckpoint({ checkpoint, out: join(checkpoint, "model.json") })).toThrow(/mask/);
});
