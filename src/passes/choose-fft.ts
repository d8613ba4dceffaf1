// y = K * x + skip x by the lowering that costs least on the machine (src/ir/fft/plan.ts): a chain of matrix
// products and one multiplication by the filter's spectrum, a depthwise convolution, or a Toeplitz product.

import { type Candidate, candidatePoints, type Lowering, planConvolution } from "../ir/fft/plan.js";
import { cpuProfile, type Profile } from "../ir/fft/profiles.js";
import type { Transform } from "../ir/fft/transform.js";
import type { Value } from "../ir/graph.js";
import { type Rewriter, rewriteModule, rule } from "../ir/rewrite.js";
import { fail } from "../support/diagnostic.js";
import { convolveLines } from "./fft/chain.js";
import { depthwise, dft, toeplitz } from "./fft/direct.js";
import { type BoundConvolution, boundConvolution, isConstant } from "./fft/request.js";
import { computedSpectrum, type Filter, foldedSpectrum } from "./fft/spectrum.js";
import { joined, sliced } from "./fft/view.js";
import type { Pass } from "./pass.js";

export interface ChooseFftOptions {
  /** The machine costs are predicted for; ONNX Runtime's CPU provider unless given. */
  readonly profile?: Profile;
  /** Rows the choice is made for; any number runs. */
  readonly batch?: number;
  /** Spectra of constant taps: `fold`ed into constants, or computed from the taps by stage products (`load`). */
  readonly spectra?: "fold" | "load";
  /** Take this lowering instead of the cheapest; the only way to get `dft`. */
  readonly lowering?: Lowering;
}

const cpu = cpuProfile();

/** Replaces long convolutions of bound length. Throws `fft/no-lowering` when the named lowering cannot do one. */
export function chooseFft(options: ChooseFftOptions = {}): Pass {
  const { profile = cpu, batch = 1, spectra = "fold" } = options;
  const lower = rule("long_conv", ({ x, k, skip }, attributes, b, op) => {
    const bound = boundConvolution(op, batch);
    if (bound === undefined) return undefined;
    const candidate = choose(bound, profile, options.lowering, op.loc.pointer);
    const isFolded =
      spectra === "fold" && isConstant(k, b.producer) && (!skip || isConstant(skip, b.producer));
    const taps = { value: k, minLag: bound.request.minLag, count: bound.taps };
    const filter: Filter = { taps, circular: attributes.circular, length: bound.request.length };
    // A skip per column of taps is one more tap; with shared columns only the depthwise form has one.
    const isTap =
      candidate.lowering === "depthwise" ||
      (candidate.transform !== undefined && bound.request.groups === bound.request.channels);
    const own = { ...filter, skip: isTap ? skip : undefined };
    const y = emitConvolution(b, x, own, candidate, isFolded, profile.layout);
    if (skip === undefined || isTap) return [y];
    return [b.emit("add", { a: y, b: b.emit("mul", { a: x, b: skip }, {}) }, {})];
  });
  return {
    name: "choose-fft",
    summary: "lower each long convolution to what costs least on the target",
    run: (module) => rewriteModule(module, "choose-fft", [lower]),
  };
}

/** The cheapest candidate, or the cheapest of the wanted kind; a modulus already chosen is kept. */
function choose(
  { request, points }: BoundConvolution,
  profile: Profile,
  lowering: Lowering | undefined,
  pointer: string,
): Candidate {
  const { chosen, candidates } = planConvolution(request, profile);
  if (lowering === undefined) {
    const isPadded = (c: Candidate) => c.lowering === "right_angle" && candidatePoints(c) === points;
    return (points > 0 ? candidates.find(isPadded) : undefined) ?? chosen;
  }
  const wanted = candidates.find((candidate) => candidate.lowering === lowering);
  if (wanted !== undefined) return wanted;
  const { length, channels, groups, circular } = request;
  return fail(
    "fft/no-lowering",
    `${lowering} cannot compute the ${circular ? "circular " : ""}convolution of ${length} samples, ${channels} channels and ${groups} filters; possible are ${[...new Set(candidates.map((c) => c.lowering))].join(", ")}`,
    { pointer, help: "leave the lowering out to take the cheapest" },
  );
}

function emitConvolution(
  b: Rewriter,
  x: Value,
  filter: Filter,
  candidate: Candidate,
  isFolded: boolean,
  layout: Profile["layout"],
): Value {
  if (candidate.lowering === "depthwise") return depthwise(b, x, filter);
  if (candidate.lowering === "toeplitz") return toeplitz(b, x, filter);
  if (candidate.lowering === "dft") return dft(b, x, filter);
  const transform: Transform = {
    ...candidate.transform!,
    scaling: x.type.element === "f16" ? "each" : candidate.transform!.scaling,
  };
  const spectrumOf = isFolded ? foldedSpectrum : computedSpectrum;
  const blocks = Array.from({ length: candidate.blocks }, (_, i) => {
    const block = channelBlock(b, x, filter, i, candidate.blocks);
    return convolveLines(b, transform, block.x, spectrumOf(b, transform, block.filter), layout);
  });
  return joined(b, blocks, 2);
}

/** The i-th of n equal groups of channels, with its own taps and skip. */
function channelBlock(
  b: Rewriter,
  x: Value,
  filter: Filter,
  i: number,
  n: number,
): { x: Value; filter: Filter } {
  const part = (value: Value, axis: number): Value => {
    const width = value.type.shape[axis]!.value! / n;
    return sliced(b, value, axis, i * width, width);
  };
  const { taps, skip } = filter;
  const own = taps.value.type.shape[1]!.value === 1 ? taps : { ...taps, value: part(taps.value, 1) };
  return { x: part(x, 2), filter: { ...filter, taps: own, skip: skip && part(skip, 0) } };
}
