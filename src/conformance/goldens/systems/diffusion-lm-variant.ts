// What one variant of a Diffusion-LM sampler case is made of besides the sampler: its options, the stub network in its
// place, and the positions that are given.

import { type DiscreteSchedule, respacedBetas, tableFromBetas } from "../../../diffusion/discretize.js";
import {
  type NoiseScheduleDescription,
  resolveSchedule,
  type SamplerPlan,
  type SamplerRow,
} from "../../../diffusion/index.js";
import type { FloatArray } from "../../../runtime/step-runner.js";
import { bug } from "../../../support/diagnostic.js";
import {
  checkedFields,
  type Facts,
  type GoldenCase,
  type GoldenTensor,
  tensorOf,
  weightOf,
} from "../golden-case.js";
import { entry, joined } from "../layout.js";
import { noiseSchedule, trainSteps } from "./diffusion-lm-noise.js";

/** One entry of args.variants. */
export interface Variant extends Facts {
  readonly name: string;
}

const variantFields = [
  ...["name", "loop", "eta", "var", "clamp", "schedule", "spacing", "rescale_timesteps", "clip_denoised"],
  // The noise is recorded, truncated or not; what the network stands for is read off any of these.
  ...["top_p", "mean", "predict", "model_mean_type", "predict_xstart", "infill"],
];

/** The variants of a case. */
export function variantsOf(golden: GoldenCase): readonly Variant[] {
  const listed = golden.options.get("variants");
  return Array.isArray(listed)
    ? listed
        .map((one, i) => checkedFields(golden, `variants.${i}`, one, variantFields))
        .filter((variant): variant is Variant => typeof variant.name === "string")
    : [];
}

/** An option of a variant, else of the whole case. */
export function optionOf(golden: GoldenCase, variant: Variant, name: string): unknown {
  return variant[name] ?? golden.options.get(name);
}

/**
 * Upstream's table of the visited steps, made from respaced betas: where alpha_bar is tiny, 1 - (1 - alpha_bar) has lost
 * digits, which upstream's x0 from a predicted noise divides by.
 */
export function respacedTable(golden: GoldenCase, variant: Variant, plan: SamplerPlan): DiscreteSchedule {
  const schedule = noiseSchedule(
    String(optionOf(golden, variant, "schedule") ?? "sqrt"),
    trainSteps(golden),
  ) as unknown as NoiseScheduleDescription;
  const table = resolveSchedule(schedule);
  if (table.kind !== "discrete") return bug("a schedule of Diffusion-LM has training steps");
  return tableFromBetas(respacedBetas(table, plan.rows.map(({ index }) => index ?? 0).reverse()));
}

/**
 * The stub: (x + mix roll(x, 1)) W^T + b + (t / 1000) tw, roll along the positions. Where it stands for the noise
 * (EPSILON), x0 = sqrt(1 / abar) x - sqrt(1 / abar - 1) eps.
 */
export function stub(
  golden: GoldenCase,
  variant: Variant,
  {
    length,
    width,
    respaced,
  }: { readonly length: number; readonly width: number; readonly respaced: DiscreteSchedule },
) {
  const [matrix, bias, byTime] = ["stub.W", "stub.b", "stub.tw"].map((name) => weightOf(golden, name).data);
  const mix = weightOf(golden, "stub.mix").data[0]!;
  const words = [...Object.values(variant).map(String), ...variant.name.split(/[_-]/)];
  const epsilon = words.some((word) => /^(epsilon|eps)$/i.test(word)) || variant.predict_xstart === false;
  const clip = optionOf(golden, variant, "clip_denoised") === true;
  return (x: FloatArray, row: SamplerRow): Float64Array => {
    const out = new Float64Array(x.length);
    for (let at = 0; at < x.length; at += width) {
      const position = (at / width) % length;
      const before = position === 0 ? at + (length - 1) * width : at - width;
      for (let o = 0; o < width; o++) {
        let sum = bias![o]! + (row.level / 1000) * byTime![o]!;
        for (let i = 0; i < width; i++) sum += (x[at + i]! + mix * x[before + i]!) * matrix![o * width + i]!;
        out[at + o] = sum;
      }
    }
    const visited = respaced.steps - 1 - row.step;
    const [alphaBar, sigma2] = [respaced.alphaBar[visited]!, respaced.sigma2[visited]!];
    const x0 = epsilon ? out.map((eps, at) => (x[at]! - Math.sqrt(sigma2) * eps) / Math.sqrt(alphaBar)) : out;
    return clip ? x0.map((value) => Math.min(1, Math.max(-1, value))) : x0;
  };
}

/** Where a variant fills in: the mask of free positions and the clean embeddings elsewhere. */
export function infilling(golden: GoldenCase, variant: Variant, positions: number) {
  if (!/infill/i.test(`${variant.name} ${variant.loop}`) && variant.infill !== true) return undefined;
  const free = givenTensor(golden, variant, /mask/i);
  const given = givenTensor(golden, variant, /^(?!.*mask).*(partial|clean|enc|emb)/i);
  if (free === undefined || given === undefined) return undefined;
  const embeddings = given.shape.length === 3 ? given : rowsOfTable(golden, given.data);
  // A mask per channel says the same of every channel; a mask of one row holds for the batch.
  const width = free.shape.length > 2 ? free.shape.at(-1)! : 1;
  const mask = Uint8Array.from({ length: positions }, (_, at) =>
    free.data[(at * width) % free.data.length] === 0 ? 1 : 0,
  );
  return { mask, embeddings: repeated(embeddings.data, (embeddings.shape.at(-1) ?? 1) * positions) };
}

/** Embeddings of tokens, for a case that records tokens. */
function rowsOfTable(golden: GoldenCase, tokens: Float64Array): GoldenTensor {
  const table = weightOf(golden, "emb.weight");
  return {
    shape: [tokens.length, table.shape[1]!],
    data: joined(Array.from(tokens, (v) => entry(table, v))),
  };
}

/** A recorded input by a word of its name, the variant's own before one for all. */
function givenTensor(golden: GoldenCase, { name }: Variant, word: RegExp): GoldenTensor | undefined {
  const fits = golden.tensors
    .names()
    .map((stored) => stored.replace(/\.f(32|64)$/, ""))
    .filter((stored) => !stored.startsWith("traj.") && word.test(stored.slice(stored.lastIndexOf(".") + 1)));
  const found = fits.find((stored) => stored.split(".").includes(name)) ?? fits[0];
  return found === undefined ? undefined : tensorOf(golden, found);
}

/** One row for the whole batch, or the batch as it is. */
function repeated(data: Float64Array, size: number): Float64Array {
  return Float64Array.from({ length: size }, (_, at) => data[at % data.length]!);
}
