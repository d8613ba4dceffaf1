// M2-BERT cases of other sizes and options than the committed ones, computed by definition: one direction, no
// residual, a norm in front, odd lengths below l_max, block-diagonal widths that do not divide, no gate.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { drawWeights, type Rounding, type Weights } from "./direct/arithmetic.js";
import { filterShapes, outcome, shareFilter, transposed } from "./direct/filters.js";
import { filterTaps, type LayerOptions, type M2Options, m2Layer, m2Mixer } from "./direct/hyena.js";

let place: string;
beforeAll(() => {
  place = mkdtempSync(join(tmpdir(), "dlmc-direct-"));
});
afterAll(() => rmSync(place, { recursive: true }));

interface MixerCase {
  readonly length: number;
  readonly built: number;
  readonly width: number;
  readonly options: M2Options;
  readonly normed?: boolean;
}

function mixerWeights(prefix: string, { built, width, options, normed = false }: MixerCase): Weights {
  const networks = options.bidirectional ? ["implicit_filter", "implicit_filter_rev"] : ["implicit_filter"];
  const sizes = { built, emb: 5, width: 8, inner: 2, out: width };
  return shareFilter(
    drawWeights(5, {
      [`${prefix}in_linear.weight`]: [3 * width, width],
      [`${prefix}in_linear.bias`]: [3 * width],
      [`${prefix}out_linear.weight`]: [width, width],
      [`${prefix}out_linear.bias`]: [width],
      [`${prefix}short_filter.weight`]: [3 * width, 1, 3],
      [`${prefix}short_filter.bias`]: [3 * width],
      ...(normed && { [`${prefix}layernorm.weight`]: [width], [`${prefix}layernorm.bias`]: [width] }),
      ...filterShapes(`${prefix}filter_fn`, networks, sizes),
      ...(options.residual && filterShapes(`${prefix}filter_fn2`, networks, sizes)),
    }),
    10,
  );
}

const both = { bidirectional: true, residual: true };
it.each([
  { id: "both-ways-odd", length: 7, built: 16, width: 3, options: both },
  { id: "both-ways-one-position", length: 1, built: 8, width: 4, options: both },
  { id: "causal", length: 5, built: 5, width: 4, options: { bidirectional: false, residual: false } },
  {
    id: "causal-residual",
    length: 31,
    built: 40,
    width: 2,
    options: { bidirectional: false, residual: true },
  },
  {
    id: "no-residual",
    length: 6,
    built: 6,
    width: 4,
    options: { bidirectional: true, residual: false, modulus: 0.5 },
  },
  { id: "normed", length: 9, built: 12, width: 4, options: both, normed: true },
])("M2 mixer $id", async ({ id, ...mixer }) => {
  const { length, width, options } = mixer;
  const weights = mixerWeights("", mixer);
  const args = {
    d_model: width,
    l_max: mixer.built,
    bidirectional: options.bidirectional,
    residual_long_conv: options.residual,
    hyena_w: 10,
    hyena_w_mod: "modulus" in options ? options.modulus : 1,
    hyena_training_additions: mixer.normed === true,
  };
  const facts = { id, system: "M2-BERT", args, weights };
  const found = await outcome(place, facts, "in.u", [2, length, width], (round, u) => ({
    out: m2Mixer(round, weights, u, options),
    once: recordedTaps(round, weights, "", length, options),
  }));
  expect(found).toBe("pass");
});

/** Filters of both directions and both convolutions, [channels][positions]. */
function recordedTaps(round: Rounding, weights: Weights, prefix: string, length: number, options: M2Options) {
  const filters = options.residual ? ["filter_fn", "filter_fn2"] : ["filter_fn"];
  const directions = [
    ["k_fwd", "implicit_filter"],
    ...(options.bidirectional ? [["k_rev", "implicit_filter_rev"]] : []),
  ];
  return Object.fromEntries(
    filters.flatMap((filter) =>
      directions.map(([direction, network]) => {
        const taps = filterTaps(round, weights, `${prefix}${filter}`, network!, length, options);
        return [`mid.${filter}.${direction}`, transposed(taps)];
      }),
    ),
  );
}

it.each([
  {
    id: "layer-blocks-not-dividing",
    width: 6,
    hidden: 10,
    blocks: 4,
    gated: true,
    normed: false,
    options: both,
  },
  { id: "layer-dense", width: 5, hidden: 7, blocks: 0, gated: true, normed: true, options: both },
  {
    id: "layer-without-gate",
    width: 4,
    hidden: 12,
    blocks: 3,
    gated: false,
    normed: false,
    options: { bidirectional: false, residual: true },
  },
  {
    id: "layer-dense-without-gate",
    width: 4,
    hidden: 9,
    blocks: 0,
    gated: false,
    normed: true,
    options: { bidirectional: true, residual: false },
  },
])("M2 $id", async ({ id, width, hidden, blocks, gated, normed, options }) => {
  const [length, built] = [5, 11];
  const up = (gated ? 2 : 1) * hidden;
  const matrix = (out: number, from: number) =>
    blocks === 0 ? [out, from] : [blocks, Math.ceil(out / blocks), Math.ceil(from / blocks)];
  const weights = {
    ...mixerWeights("attention.", { length, built, width, options, normed }),
    ...drawWeights(6, {
      "mlp.gated_layers.weight": matrix(up, width),
      "mlp.wo.weight": matrix(width, hidden),
      "mlp.wo.bias": [width],
      "mlp.layernorm.weight": [width],
      "mlp.layernorm.bias": [width],
    }),
  };
  const layer: LayerOptions = { ...options, gated, hidden, eps: 1e-3 };
  const args = {
    hidden_size: width,
    intermediate_size: hidden,
    long_conv_l_max: built,
    bidirectional: options.bidirectional,
    residual_long_conv: options.residual,
    hyena_w_mod: 1,
    use_glu_mlp: gated,
    use_monarch_mlp: blocks > 0,
    ...(blocks > 0 && { monarch_mlp_nblocks: blocks }),
    layer_norm_eps: 1e-3,
  };
  const facts = { id, system: "M2-BERT", args, weights };
  const found = await outcome(place, facts, "in.x", [2, length, width], (round, x) => {
    const { out, mixed, up: gatedLayers, down } = m2Layer(round, weights, x, layer);
    return {
      out,
      perText: { "mid.attention": mixed, "mid.mlp.gated_layers": gatedLayers, "mid.mlp.wo": down },
      once: recordedTaps(round, weights, "attention.", length, options),
    };
  });
  expect(found).toBe("pass");
});
