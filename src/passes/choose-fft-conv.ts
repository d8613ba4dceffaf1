// y = K * x as one fft_conv with the filter's spectrum, for kernels that keep a line in fast memory: any lags,
// linear or circular, are one transform of M >= L points at a right angle. Filters of few taps stay long_conv.

import { dim } from "../ir/dim.js";
import { usefulTaps } from "../ir/fft/cost.js";
import { lineFactors } from "../ir/fft/radices.js";
import type { Transform } from "../ir/fft/transform.js";
import type { Value } from "../ir/graph.js";
import { type Rewriter, rewriteModule, rule } from "../ir/rewrite.js";
import { fail } from "../support/diagnostic.js";
import { boundConvolution, isConstant } from "./fft/request.js";
import { computedSpectrum, type Filter, foldedSpectrum } from "./fft/spectrum.js";
import { reshaped } from "./fft/view.js";
import type { Pass } from "./pass.js";

export interface ChooseFftConvOptions {
  /** `fold`: spectra of constant taps become constants. `load`: they are computed from the taps by stage products. */
  readonly spectra?: "fold" | "load";
  /** Points of a line that a workgroup's memory holds: 4 bytes each in the 16 KiB every device has. */
  readonly longest?: number;
}

/** Filters of so few taps are read as they are: below this a direct sum moves and computes less. */
const directTaps = 16;

/**
 * Replaces every long convolution of bound length. Throws `fft/too-long` beyond 32 lines of `longest` points,
 * about 130 000 samples.
 */
export function chooseFftConv({ spectra = "fold", longest = 4096 }: ChooseFftConvOptions = {}): Pass {
  const lower = rule("long_conv", ({ x, k, skip }, attributes, b, op) => {
    const bound = boundConvolution(op, 1);
    if (bound === undefined) return undefined;
    const { request } = bound;
    const taps = request.circular ? bound.taps : usefulTaps(request);
    if (taps <= directTaps) return undefined;
    const factors =
      lineFactors(request.length, longest) ??
      fail("fft/too-long", `no transform of ${request.length} samples fits lines of ${longest} points`, {
        pointer: op.loc.pointer,
        help: `the longest convolution of this target has about ${32 * longest} samples`,
      });
    const isFolded =
      spectra === "fold" && isConstant(k, b.producer) && (!skip || isConstant(skip, b.producer));
    // A skip per filter is one more tap; with shared filters it is a term of its own, so that H stays small.
    const isTap = request.groups === request.channels;
    const filter: Filter = {
      taps: { value: k, minLag: request.minLag, count: bound.taps },
      circular: attributes.circular,
      length: request.length,
      skip: isTap ? skip : undefined,
    };
    const spectrum = lineSpectrum(b, factors, filter, isFolded);
    const y = b.emit("fft_conv", { x, spectrum }, { factors });
    if (skip === undefined || isTap) return [y];
    return [b.emit("add", { a: y, b: b.emit("mul", { a: x, b: skip }, {}) }, {})];
  });
  return {
    name: "choose-fft-conv",
    summary: "lower each long convolution to one fft_conv with the filter's spectrum",
    run: (module) => rewriteModule(module, "choose-fft-conv", [lower]),
  };
}

/** The spectrum as the kernel reads it: [Q, 2, 1, K, G] -> [G, 2, K, Q], bins of a stage side by side. */
function lineSpectrum(b: Rewriter, factors: readonly number[], filter: Filter, isFolded: boolean): Value {
  const transform: Transform = { form: "right_angle", factors, rows: factors[0]!, scaling: "last" };
  const spectrum = (isFolded ? foldedSpectrum : computedSpectrum)(b, transform, filter);
  const turned = b.emit("transpose", { x: spectrum }, { permutation: [4, 1, 2, 3, 0] });
  const [groups, parts, , bins, rest] = turned.type.shape.map((extent) => extent.value!);
  return reshaped(b, turned, [groups!, parts!, bins!, rest!].map(dim), "spectrum");
}
