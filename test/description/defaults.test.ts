// Defaults: each one of the schema appears in the resolved form, the derived ones have the value that their
// source says, and the printed form reads back to itself.

import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { printDescription } from "../../src/description/defaults.js";
import type { Description, ModelDescription } from "../../src/description/description.js";
import { readDescription } from "../../src/description/read.js";
import { branchFor, isObject, type SchemaNode, schema } from "../../src/description/schema.js";
import { listBlocks } from "../../src/description/widths.js";
import { Report } from "../../src/support/diagnostic.js";

const folder = new URL("models/", import.meta.url);

function read(source: unknown): Description {
  const report = new Report();
  const text = typeof source === "string" ? source : JSON.stringify(source);
  const description = readDescription(text, "model.json", report);
  expect(report.diagnostics).toEqual([]);
  return description!;
}

/** The shortest model there is. */
const shortest = {
  version: 1,
  state_space: { kind: "continuous_embedding", vocab_size: 11, seq_len: 8 },
  embedding: { dim: 16 },
  noise_schedule: { family: "cosine" },
  timesteps: { kind: "spaced", sections: 10 },
  blocks: { mixer: { kind: "attention", heads: 2 } },
};

function model(change: object = {}): ModelDescription {
  return read({ ...shortest, ...change }) as ModelDescription;
}

describe("the resolved form", () => {
  const sources = readdirSync(folder).map(
    (file) => [file, readFileSync(new URL(file, folder), "utf8")] as const,
  );
  for (const [file, text] of [...sources, ["shortest", JSON.stringify(shortest)] as const])
    it(`of ${file} reads back to itself`, () => {
      const printed = printDescription(read(text));
      expect(printDescription(read(printed))).toBe(printed);
    });

  for (const [file, text] of [...sources, ["shortest", JSON.stringify(shortest)] as const])
    it(`of ${file} has every default of the schema`, () => {
      const missing: string[] = [];
      const visit = (node: SchemaNode, value: unknown, place: string): void => {
        const branch = branchFor(node, value) ?? {};
        if (Array.isArray(value)) for (const item of value) visit(branch.items ?? {}, item, `${place}/#`);
        if (!isObject(value)) return;
        for (const [key, property] of Object.entries(branch.properties ?? {})) {
          const filled = property.default !== undefined || property["x-derived"] !== undefined;
          if (filled && place !== "" && value[key] === undefined) missing.push(`${place}/${key}`);
          if (value[key] !== undefined) visit(property, value[key], `${place}/${key}`);
        }
      };
      visit(schema, read(text), "");
      expect(missing).toEqual([]);
    });

  it("leaves what was written as it was", () => {
    for (const [, text] of sources) {
      const given = JSON.parse(text) as Record<string, unknown>;
      delete given.$schema;
      expect(read(text)).toMatchObject(given);
    }
  });

  it("has only the concepts of the part", () => {
    const mixer = { version: 1, part: "mixer", width: 4, seq_len: 8, mixer: { kind: "short_conv" } };
    expect(Object.keys(read(mixer))).toEqual([
      "version",
      "name",
      "part",
      "width",
      "seq_len",
      "mixer",
      "weights",
    ]);
  });
});

describe("derived defaults", () => {
  it("attention: head_dim = width / heads, scale = 1 / sqrt(head_dim)", () => {
    expect(listBlocks(model())[0]!.block.mixer).toMatchObject({ head_dim: 8, scale: 1 / Math.sqrt(8) });
  });

  it("feed-forward: four times the width, the width being the end of in_proj", () => {
    const wide = model({
      embedding: { dim: 4, in_proj: [{ out: 32 }] },
      prediction_type: { out_proj: [{ out: 4 }] },
    });
    expect(listBlocks(wide)[0]!.block.ffn).toMatchObject({ hidden: 128 });
  });

  it("branches take the block's placement and norm, unless they say otherwise", () => {
    const mixer = { kind: "attention", heads: 2 };
    const { block } = listBlocks(
      model({
        blocks: {
          placement: "post",
          norm: { kind: "rms" },
          ffn_branch: { placement: "none", norm: { kind: "layer", eps: 0.1 } },
          mixer,
        },
      }),
    )[0]!;
    const rms = { kind: "rms", eps: 1e-6, affine: "weight" };
    expect(block.mixer_branch).toMatchObject({ placement: "post", norm: rms, residual: true });
    const own = { kind: "layer", eps: 0.1, affine: "weight_bias" };
    expect(block.ffn_branch).toMatchObject({ placement: "none", norm: own, residual: true });
  });

  it("a pre-norm trunk ends in a norm like its blocks', a post-norm trunk does not", () => {
    const mixer = { kind: "attention", heads: 2 };
    const pre = model({ blocks: { norm: { kind: "rms", eps: 1e-5 }, mixer } });
    expect(pre.prediction_type.final_norm).toEqual({ kind: "rms", eps: 1e-5, affine: "weight" });
    expect(model({ blocks: { placement: "post", mixer } }).prediction_type.final_norm).toEqual({
      kind: "none",
    });
    const mixerOnly = model({
      blocks: { placement: "post", mixer_branch: { placement: "pre" }, mixer, ffn: { kind: "none" } },
    });
    expect(mixerOnly.prediction_type.final_norm.kind).toBe("layer");
  });

  it("the number fed to time features follows the schedule", () => {
    const time = {
      time_conditioning: { injection: "ada_ln" },
      prediction_type: { x0_from: "softmax_embedding" },
    };
    const input = (change: object) => {
      const found = model({ ...time, ...change }).time_conditioning;
      return found.injection === "none" ? undefined : found.input;
    };
    expect(input({})).toBe("t_index");
    expect(
      input({ noise_schedule: { family: "log_linear" }, timesteps: { kind: "linspace", num_steps: 4 } }),
    ).toBe("t");
    const gumbel = {
      noise_schedule: { family: "gumbel_quantile" },
      timesteps: { kind: "quantile", num_steps: 4 },
    };
    expect(input(gumbel)).toBe("gamma");
  });

  it("time MLPs are as wide as the trunk; ada_ln ends in an activation, additive does not", () => {
    const mlp = (injection: string) => {
      const time = model({ time_conditioning: { injection } }).time_conditioning;
      return time.injection === "none" ? undefined : time.mlp;
    };
    expect(mlp("ada_ln")).toMatchObject({ dims: [16, 16], final_activation: "silu" });
    expect(mlp("additive")).toMatchObject({ dims: [16, 16], final_activation: "none" });
  });

  it("tokens come from the last call's logits with softmax_embedding, else from the final x", () => {
    expect(model().sampler).toMatchObject({ kind: "ddim", final: "round" });
    expect(model({ prediction_type: { x0_from: "softmax_embedding" } }).sampler).toMatchObject({
      final: "denoise",
    });
  });

  it("filters: one per channel, as long as the sequence, with a reverse filter when bidirectional", () => {
    const filterOf = (filter: object) => {
      const { mixer } = listBlocks(model({ blocks: { mixer: { kind: "long_conv", filter } } }))[0]!.block;
      return mixer.kind === "long_conv" ? mixer.filter : undefined;
    };
    expect(filterOf({ kind: "explicit" })).toMatchObject({
      groups: 16,
      length: 8,
      reverse_filter: "offset_lag1",
    });
    expect(filterOf({ kind: "explicit", span: "causal" })).toMatchObject({ reverse_filter: "none" });
  });

  it("gated long convolutions have a short convolution, plain ones have none", () => {
    const shortOf = (gating: object) => {
      const { mixer } = listBlocks(model({ blocks: { mixer: { kind: "long_conv", gating } } }))[0]!.block;
      return mixer.kind === "long_conv" ? mixer.short_conv : undefined;
    };
    expect(shortOf({ kind: "hyena" })).toMatchObject({ kind: "depthwise", taps: 3, span: "causal" });
    expect(shortOf({ kind: "none" })).toEqual({ kind: "none" });
  });

  it("a parallel convolution has a filter like the mixer's", () => {
    const mixer = {
      kind: "long_conv",
      filter: { kind: "implicit_mlp", width: 5 },
      residual_conv: { kind: "long_conv" },
    };
    const found = listBlocks(model({ blocks: { mixer } }))[0]!.block.mixer;
    expect(
      found.kind === "long_conv" && found.residual_conv.kind === "long_conv" && found.residual_conv.filter,
    ).toMatchObject({
      kind: "implicit_mlp",
      width: 5,
      groups: 16,
    });
  });
});

describe("lists of blocks", () => {
  const a = { mixer: { kind: "attention", heads: 2 } };
  const b = { mixer: { kind: "short_conv" } };
  const kinds = (blocks: unknown) =>
    listBlocks(model({ blocks })).map(({ index, block, pointer }) => [index, block.mixer.kind, pointer]);

  it("one block repeated", () => {
    expect(kinds({ ...a, repeat: 2 })).toEqual([
      [0, "attention", "/blocks"],
      [1, "attention", "/blocks"],
    ]);
  });

  it("a list, each with its repetitions", () => {
    expect(kinds([{ ...b, repeat: 2 }, a])).toEqual([
      [0, "short_conv", "/blocks/0"],
      [1, "short_conv", "/blocks/0"],
      [2, "attention", "/blocks/1"],
    ]);
  });

  it("a pattern, the whole of it repeated", () => {
    expect(kinds({ repeat: 2, pattern: [b, a] })).toEqual([
      [0, "short_conv", "/blocks/pattern/0"],
      [1, "attention", "/blocks/pattern/1"],
      [2, "short_conv", "/blocks/pattern/0"],
      [3, "attention", "/blocks/pattern/1"],
    ]);
  });
});
