// Given tokens (a prompt, the text around a gap): the positions that sampling must not change.

import type { PlanPoint, SamplerPlan } from "../diffusion/rows.js";
import { fail } from "../support/diagnostic.js";
import type { FloatArray, NoiseSource, StepRunner } from "./step-runner.js";

/** Tokens that are given, one entry per position of the batch, [B, L]. */
export interface FixedTokens {
  /** Values where `mask` is 0 do not matter. */
  readonly tokens: Int32Array;
  /** 1 where the token is given. */
  readonly mask: Uint8Array;
}

/**
 * One row of given tokens repeated for a batch, or a whole batch checked.
 * Throws `generate/fixed-size` when the sizes fit neither, `generate/fixed-token` for a token outside the
 * vocabulary.
 */
export function fixedBatch(
  fixed: FixedTokens | undefined,
  batch: number,
  length: number,
  vocabulary: number,
): FixedTokens {
  const size = batch * length;
  if (fixed === undefined) return { tokens: new Int32Array(size), mask: new Uint8Array(size) };
  const { tokens, mask } = fixed;
  if (tokens.length !== mask.length || (tokens.length !== size && tokens.length !== length))
    fail(
      "generate/fixed-size",
      `the given text has ${tokens.length} tokens and ${mask.length} mask entries; the model has ${length} positions, the batch ${batch} rows`,
      { help: `give ${length} of each (for every row alike)${batch > 1 ? ` or ${size}` : ""}` },
    );
  const all = { tokens: new Int32Array(size), mask: new Uint8Array(size) };
  for (let i = 0; i < size; i++) {
    const from = i % tokens.length;
    if (mask[from] === 0) continue;
    const token = tokens[from]!;
    if (token < 0 || token >= vocabulary)
      fail("generate/fixed-token", `token ${token} at position ${from % length} is not in the vocabulary`, {
        help: `tokens are 0 to ${vocabulary - 1}`,
      });
    all.tokens[i] = token;
    all.mask[i] = 1;
  }
  return all;
}

/** The given tokens of a batch, and their embeddings where there are any. Throws what `fixedBatch` does, `generate/fixed-latents`. */
export async function fixedRows(
  runner: Pick<StepRunner, "length" | "vocabulary" | "embed" | "decode">,
  given: FixedTokens | undefined,
  batch: number,
): Promise<FixedTokens & { readonly x: FloatArray | undefined }> {
  if (given !== undefined && runner.decode !== undefined)
    fail("generate/fixed-latents", "tokens are given, and this model starts from latents of noise alone", {
      help: "leave the prompt out",
    });
  const fixed = fixedBatch(given, batch, runner.length, runner.vocabulary);
  return { ...fixed, x: fixed.mask.includes(1) ? await runner.embed(fixed.tokens, batch) : undefined };
}

/** What given positions hold at call `draw` of the network, at the point of it; after the last call they are clean. */
export type GivenRows = (draw: number, point?: PlanPoint) => FloatArray;

/** The clean embeddings, or alpha e + sigma noise at each point where the plan says so. */
export function givenRows(
  { renoised }: SamplerPlan,
  clean: FloatArray,
  noise: NoiseSource,
  dim: number,
): GivenRows {
  return (draw, point) => {
    if (!renoised || point === undefined) return clean;
    const levels = (point.positions ?? [point]).map(({ alphaBar, sigma2 }) => ({
      alpha: Math.sqrt(alphaBar),
      sigma: Math.sqrt(sigma2),
    }));
    const drawn = noise(draw, "fixed");
    return clean.map((value, i) => {
      const { alpha, sigma } = levels[Math.floor(i / dim) % levels.length]!;
      return alpha * value + sigma * drawn[i]!;
    });
  };
}

/** x with the rows of `fixedX` where the mask is set; x itself when nothing is given. */
export function overwriteRows(x: FloatArray, fixedX: FloatArray, mask: Uint8Array, dim: number): FloatArray {
  if (!mask.includes(1)) return x;
  const result = x.slice();
  for (const [i, given] of mask.entries())
    if (given === 1) result.set(fixedX.subarray(i * dim, (i + 1) * dim), i * dim);
  return result;
}

/** tokens with the given ones where the mask is set. */
export function overwriteTokens(tokens: Int32Array, { tokens: given, mask }: FixedTokens): Int32Array {
  return tokens.map((token, i) => (mask[i] === 1 ? given[i]! : token));
}
