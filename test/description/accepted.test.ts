// Descriptions at the edge of the rules that must pass without a word.

import { describe, expect, it } from "vitest";
import { readDescription } from "../../src/description/index.js";
import { Report } from "../../src/support/diagnostic.js";

const attention = { kind: "attention", heads: 2 };
const model = {
  version: 1,
  state_space: { kind: "continuous_embedding", vocab_size: 2, seq_len: 1 },
  embedding: { dim: 16 },
  noise_schedule: { family: "cosine" },
  timesteps: { kind: "spaced", sections: 1000 },
  blocks: { mixer: attention },
};
const mixer = (described: object, seq_len = 8) => ({
  version: 1,
  part: "mixer",
  width: 16,
  seq_len,
  mixer: described,
});
const longConv = (filter: object) => mixer({ kind: "long_conv", filter });

const accepted: Readonly<Record<string, object>> = {
  "the least model": model,
  "every training step": { ...model, timesteps: { kind: "all" } },
  "a stride that exists": { ...model, timesteps: { kind: "ddim_stride", num_steps: 334 } },
  "sections as full as they are": { ...model, timesteps: { kind: "spaced", sections: [334, 333, 333] } },
  "a list of training steps": { ...model, timesteps: { kind: "table", values: [999, 0] } },
  "a psi sampler that stays at a time": {
    ...model,
    state_space: { kind: "uniform", vocab_size: 5, seq_len: 4 },
    noise_schedule: { family: "log_linear" },
    timesteps: { kind: "table", values: [1, 0.5, 0.5, 0.5, 0.001] },
    sampler: { kind: "psi", kappa: { kind: "constant", value: 0.5 } },
  },
  "a continuous grid": {
    ...model,
    noise_schedule: { family: "log_linear" },
    timesteps: { kind: "linspace", num_steps: 1000 },
  },
  "a table of one position": { ...model, embedding: { dim: 16, positions: { kind: "learned", length: 1 } } },
  "a head wider than the embedding": {
    ...model,
    embedding: { dim: 4, in_proj: [{ out: 16 }] },
    prediction_type: { x0_from: "softmax_embedding" },
  },
  "half of each head rotated": {
    ...model,
    blocks: { mixer: { ...attention, rope: { kind: "rotary", fraction: 0.25 } } },
  },
  "as many matrix blocks as hidden channels": {
    ...model,
    blocks: {
      mixer: attention,
      ffn: { kind: "dense", hidden: 8, structure: { kind: "block_diagonal", blocks: 8 } },
    },
  },
  "ada_ln without a final norm, when it leaves that alone": {
    ...model,
    prediction_type: { final_norm: { kind: "none" } },
    time_conditioning: { injection: "ada_ln", final: false },
  },
  "ada_ln in blocks without feed-forward network": {
    ...model,
    blocks: {
      placement: "post",
      mixer_branch: { placement: "pre" },
      mixer: attention,
      ffn: { kind: "none" },
    },
    time_conditioning: { injection: "ada_ln" },
  },
  "time features added without an mlp": {
    ...model,
    time_conditioning: {
      injection: "additive",
      features: { kind: "sinusoidal", dim: 16 },
      mlp: { dims: [] },
    },
  },
  "four features with half_minus_1": {
    ...model,
    time_conditioning: {
      injection: "ada_ln",
      features: { kind: "sinusoidal", dim: 4, denominator: "half_minus_1" },
    },
  },
  "a prior skip over rows of one norm": {
    ...model,
    embedding: { dim: 16, normalization: "unit" },
    prediction_type: { x0_from: "softmax_embedding", prior_skip: "alpha_over_sigma2" },
  },
  "a grid that ends in noise, when the last call gives the tokens": {
    ...model,
    timesteps: { kind: "table", values: [999, 900] },
    sampler: { kind: "ddim", final: "denoise" },
  },
  "transforms that could be": {
    ...model,
    weights: {
      files: ["a", "b"],
      map: {
        "embedding.table": { from: ["e"] },
        "head.weight": {
          from: ["a"],
          transforms: [{ kind: "concat" }, { kind: "slice", start: 0, stop: 1 }],
        },
        "head.bias": {
          from: "b",
          transforms: [
            { kind: "transpose", axes: [2, 0, 1] },
            { kind: "reshape", shape: [-1] },
          ],
        },
      },
    },
  },
  "one filter for two channels": longConv({ kind: "explicit", groups: 8 }),
  "one filter for all": longConv({ kind: "explicit", groups: 1, span: "causal", length: 3 }),
  "a circular filter": longConv({ kind: "explicit", span: "circular" }),
  "a filter built for more": longConv({ kind: "implicit_mlp", length: 9, emb_dim: 5 }),
  "an implicit filter of two positions": mixer({ kind: "long_conv" }, 2),
  "an implicit filter of one position": mixer({ kind: "long_conv" }, 1),
  "centered taps": mixer({ kind: "short_conv", span: "centered", taps: 1 }),
  "an even number of causal taps": mixer({ kind: "short_conv", taps: 4 }),
  "a plain convolution and nothing else": mixer({
    kind: "long_conv",
    in_proj: { kind: "none" },
    out_proj: { kind: "none" },
    skip: "none",
    filter: { kind: "explicit", reverse_filter: "full_2l" },
  }),
  "a schedule without a grid": { version: 1, part: "noise_schedule", noise_schedule: { family: "linear" } },
};

describe("accepted descriptions", () => {
  for (const [name, description] of Object.entries(accepted))
    it(name, () => {
      const report = new Report();
      readDescription(JSON.stringify(description), "model.json", report);
      expect(report.diagnostics).toEqual([]);
    });
});
