// long_conv{length = 0} = long_conv{length = M} for every M >= L: modulo z^M = -i, products that wrap are
// imaginary. The pass names the M whose factors are cheapest on the machine; that it may is said by the op.

import { dim } from "../ir/dim.js";
import { candidatePoints, planConvolution } from "../ir/fft/plan.js";
import { cpuProfile, type Profile } from "../ir/fft/profiles.js";
import { rewriteModule, rule } from "../ir/rewrite.js";
import { boundConvolution } from "./fft/request.js";
import type { Pass } from "./pass.js";

export interface PadFftOptions {
  /** The machine the length is chosen for; ONNX Runtime's CPU provider unless given. */
  readonly profile?: Profile;
  /** Rows the choice is made for; any number runs. */
  readonly batch?: number;
}

const cpu = cpuProfile();

/** Chooses the modulus of every linear long convolution that a right-angle chain computes best. */
export function padFft({ profile = cpu, batch = 1 }: PadFftOptions = {}): Pass {
  const choose = rule("long_conv", ({ x, k, skip }, attributes, b, op) => {
    const bound = boundConvolution(op, batch);
    if (bound === undefined || bound.points > 0 || attributes.circular) return undefined;
    const { chosen } = planConvolution(bound.request, profile);
    if (chosen.lowering !== "right_angle") return undefined;
    const points = candidatePoints(chosen)!;
    // Taps beyond the sequence never contribute, but modulo M they would (long_conv_c7): choose-fft drops them.
    const reach = Math.max(bound.lag0, bound.taps - 1 - bound.lag0);
    if (reach > 2 * points - bound.request.length) return undefined;
    return [b.emit("long_conv", { x, k, skip }, { ...attributes, length: dim(points) })];
  });
  return {
    name: "pad-fft",
    summary: "choose the least length that is legal and fast for each long convolution",
    run: (module) => rewriteModule(module, "pad-fft", [choose]),
  };
}
