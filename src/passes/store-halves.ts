// Learned matrices in half precision: weight f32 = cast(weight f16). Numbers are rounded once, when the file is
// written, and every kernel widens them as it loads them, so that arithmetic and activations stay f32.
//
// Three kinds of weights stay as they are. Vectors (biases, gains) are few and add up directly. Tables that formulas
// give (transform matrices, angles) are exact work that rounding would undo. And a matrix whose numbers binary16 does
// not hold: beyond 65504, or so small that underflow costs more than rounding. The format rounds a normal number by at
// most 2^-11 of itself; numbers below 2^-14 may become 0 on a device. With h(w) what such a device sees, a matrix is
// stored in halves when   |w - h(w)|_2 <= 2^-11 |w|_2.

import { rewriteModule, rule } from "../ir/rewrite.js";
import type { Tensor } from "../ir/tensor.js";
import type { Diagnostic } from "../support/diagnostic.js";
import { largestHalf, leastNormalHalf } from "../support/half.js";
import type { Pass } from "./pass.js";

export interface StoreHalvesOptions {
  /** Told of every matrix that stays f32 for its numbers: `precision/out-of-range`, `precision/underflow`. */
  readonly warn?: (problem: Diagnostic) => void;
}

export function storeHalves({ warn }: StoreHalvesOptions = {}): Pass {
  return {
    name: "store-halves",
    summary: "store learned matrices as f16, widened where they are read",
    run(module) {
      const { weights } = module;
      const decided = new Map<string, boolean>();
      const isHalved = (name: string, pointer: string): boolean => {
        const known = decided.get(name);
        if (known !== undefined) return known;
        const problem = weights.has(name) ? problemOf(name, weights.read(name), pointer) : undefined;
        if (problem !== undefined) warn?.(problem);
        decided.set(name, problem === undefined);
        return problem === undefined;
      };
      const rewritten = rewriteModule(module, "store-halves", [
        rule("weight", (_, { name, shape, element }, b, op) => {
          const isMatrix = shape.filter((extent) => extent.value !== 1).length >= 2;
          if (element !== "f32" || !isMatrix || weights.isFormula?.(name) || !isHalved(name, op.loc.pointer))
            return undefined;
          const hint = op.results[0]!.hint;
          const stored = b.emit("weight", {}, { name, shape, element: "f16" }, hint && `${hint}.f16`);
          return [b.emit("cast", { x: stored }, { to: "f32" })];
        }),
      ]);
      if (rewritten === module) return module;
      return {
        ...rewritten,
        weights: {
          has: (name) => weights.has(name),
          isFormula: (name) => weights.isFormula?.(name) === true,
          read(name) {
            const value = weights.read(name);
            return decided.get(name) === true ? { ...value, element: "f16" } : value;
          },
        },
      };
    },
  };
}

/** Why a matrix cannot be stored in halves; undefined when it can. */
function problemOf(name: string, { data }: Tensor, pointer: string): Diagnostic | undefined {
  let beyond = 0;
  let largest = 0;
  let below = 0;
  let lost = 0;
  let size = 0;
  for (const w of data) {
    const magnitude = Math.abs(w);
    if (magnitude > largestHalf) beyond++;
    largest = Math.max(largest, magnitude);
    const error = magnitude < leastNormalHalf ? magnitude : magnitude - elevenBits(magnitude);
    if (magnitude < leastNormalHalf && magnitude > 0) below++;
    lost += error * error;
    size += w * w;
  }
  const warning = (code: string, message: string, help: string): Diagnostic => ({
    severity: "warning",
    code,
    message: `${name} stays f32: ${message}`,
    pointer,
    help,
  });
  if (beyond > 0)
    return warning(
      "precision/out-of-range",
      `${beyond} of ${data.length} numbers are beyond ${largestHalf}, the largest f16; the largest is ${largest}`,
      "nothing need be done; a smaller file wants the factor moved out of the weight",
    );
  // Negated, so that numbers that are not finite count as lost.
  if (!(lost <= 2 ** -22 * size))
    return warning(
      "precision/underflow",
      `${below} of ${data.length} numbers are below ${leastNormalHalf.toExponential(2)}, the least normal f16, and would lose more than rounding does`,
      "nothing need be done; a smaller file wants the factor moved out of the weight",
    );
  return undefined;
}

/** The nearest number of 11 significant bits, as a half has (Veltkamp 1968, splitting a float64 at bit 42). */
function elevenBits(x: number): number {
  const spread = (2 ** 42 + 1) * x;
  return spread - (spread - x);
}
