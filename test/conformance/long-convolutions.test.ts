// Hyena and M2-BERT cases of other sizes and options than the committed ones, computed by definition: odd lengths,
// lengths below l_max, order 3 and 4, one direction, no residual, block-diagonal widths that do not divide.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { caseText } from "../../src/conformance/goldens/report.js";
import { runCase } from "../../src/conformance/goldens/run.js";
import {
  drawWeights,
  exact,
  normals,
  type Rounding,
  type Rows,
  rowsOf,
  single,
  type Weights,
} from "./direct/arithmetic.js";
import { hyenaOperator, type LayerOptions, type M2Options, m2Layer, m2Mixer } from "./direct/hyena.js";
import { writeCase } from "./direct/write-case.js";

let place: string;
beforeAll(() => {
  place = mkdtempSync(join(tmpdir(), "dlmc-direct-"));
});
afterAll(() => rmSync(place, { recursive: true }));

interface FilterSizes {
  readonly built: number;
  readonly emb: number;
  readonly width: number;
  readonly inner: number;
  readonly out: number;
}

/** Shapes of one filter as upstream stores it; positions are perturbed as a trained buffer's would be. */
function filterShapes(
  prefix: string,
  networks: readonly string[],
  sizes: FilterSizes,
): Record<string, number[]> {
  const { built, emb, width, inner, out } = sizes;
  const shapes: Record<string, number[]> = {
    [`${prefix}.bias`]: [out],
    [`${prefix}.pos_emb.z`]: [1, built, emb],
    [`${prefix}.pos_emb.t`]: [1, built, 1],
    [`${prefix}.modulation.deltas`]: [1, 1, out],
  };
  for (const network of networks) {
    for (let k = 0; k <= inner; k++) {
      shapes[`${prefix}.${network}.${2 * k}.weight`] = [width, k === 0 ? emb : width];
      shapes[`${prefix}.${network}.${2 * k}.bias`] = [width];
      shapes[`${prefix}.${network}.${2 * k + 1}.freq`] = [1, width];
    }
    shapes[`${prefix}.${network}.${2 * inner + 2}.weight`] = [out, width];
  }
  return shapes;
}

/** One frequency per filter, listed under every sine; times from 0 to 1; decay rates of a few units. */
function shareFilter(weights: Weights, frequency: number): Weights {
  const shared = { ...weights };
  for (const [name, { shape, data }] of Object.entries(weights)) {
    const freq = /^(.*filter_fn2?)\.implicit_filter(_rev)?\.\d+\.freq$/.exec(name);
    if (freq) {
      const first = weights[`${freq[1]}.implicit_filter.1.freq`]!.data;
      shared[name] = { shape, data: first.map((x) => Math.fround(frequency + 0.1 * x)) };
    }
    const rows = shape[1]!;
    if (name.endsWith("pos_emb.t"))
      shared[name] = { shape, data: data.map((_, t) => Math.fround(t / Math.max(1, rows - 1))) };
    if (name.endsWith("deltas")) shared[name] = { shape, data: data.map((x) => Math.fround(-3 - x)) };
  }
  return shared;
}

function run(
  id: string,
  system: string,
  args: object,
  weights: Weights,
  size: readonly [number, number, number],
  input: string,
  network: (round: Rounding, x: Rows) => Rows,
): Promise<string> {
  const [batch, length, width] = size;
  const data = normals(17)(batch * length * width);
  const whole = (round: Rounding): number[] =>
    Array.from({ length: batch }, (_, row) => network(round, rowsOf(data, length, width, row))).flat(2);
  const f64 = whole(exact);
  const directory = writeCase(place, {
    id,
    system,
    args,
    weights,
    given: { [input]: { shape: size, data } },
    results: { out: { shape: [batch, f64.length / batch / width, width], f64, f32: whole(single) } },
  });
  return runCase(directory).then((report) => (report.status === "pass" ? "pass" : caseText(report)));
}

it.each([
  {
    id: "order-2-one-position",
    batch: 3,
    length: 1,
    built: 16,
    width: 4,
    order: 2,
    inner: 2,
    emb: 3,
    shift: 0,
  },
  {
    id: "order-2-built-for-one",
    batch: 1,
    length: 1,
    built: 1,
    width: 2,
    order: 2,
    inner: 2,
    emb: 3,
    shift: 0,
  },
  { id: "order-3-odd", batch: 2, length: 7, built: 16, width: 5, order: 3, inner: 2, emb: 5, shift: 0 },
  {
    id: "order-4-shifted",
    batch: 1,
    length: 31,
    built: 31,
    width: 3,
    order: 4,
    inner: 1,
    emb: 7,
    shift: 0.05,
  },
  { id: "order-2-wide", batch: 1, length: 5, built: 9, width: 6, order: 2, inner: 3, emb: 3, shift: 0.01 },
])("Hyena $id", async ({ id, batch, length, built, width, order, inner, emb, shift }) => {
  const weights = shareFilter(
    drawWeights(3, {
      "in_proj.weight": [(order + 1) * width, width],
      "in_proj.bias": [(order + 1) * width],
      "out_proj.weight": [width, width],
      "out_proj.bias": [width],
      "short_filter.weight": [(order + 1) * width, 1, 3],
      "short_filter.bias": [(order + 1) * width],
      ...filterShapes("filter_fn", ["implicit_filter"], {
        built,
        emb,
        width: 8,
        inner,
        out: (order - 1) * width,
      }),
    }),
    1,
  );
  const args = {
    d_model: width,
    l_max: built,
    order,
    filter_order: 8,
    emb_dim: emb,
    num_inner_mlps: inner,
    shift,
  };
  const outcome = await run(id, "Hyena", args, weights, [batch, length, width], "in.u", (round, u) =>
    hyenaOperator(round, weights, u, order, { shift }),
  );
  expect(outcome).toBe("pass");
});

it("Hyena on more positions than it was built for: the first l_max", async () => {
  const [width, built, order] = [3, 6, 2];
  const weights = shareFilter(
    drawWeights(4, {
      "in_proj.weight": [3 * width, width],
      "in_proj.bias": [3 * width],
      "out_proj.weight": [width, width],
      "out_proj.bias": [width],
      "short_filter.weight": [3 * width, 1, 3],
      "short_filter.bias": [3 * width],
      ...filterShapes("filter_fn", ["implicit_filter"], { built, emb: 3, width: 4, inner: 2, out: width }),
    }),
    1,
  );
  const outcome = await run("long-input", "Hyena", { order }, weights, [2, 9, width], "in.u", (round, u) =>
    hyenaOperator(round, weights, u.slice(0, built), order),
  );
  expect(outcome).toBe("pass");
});

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
  const outcome = await run(id, "M2-BERT", args, weights, [2, length, width], "in.u", (round, u) =>
    m2Mixer(round, weights, u, options),
  );
  expect(outcome).toBe("pass");
});

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
  const outcome = await run(id, "M2-BERT", args, weights, [2, length, width], "in.x", (round, x) =>
    m2Layer(round, weights, x, layer),
  );
  expect(outcome).toBe("pass");
});
