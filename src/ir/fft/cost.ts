// What a lowering of one long convolution costs: seconds, traffic, launches, bytes of constants, and the
// error to expect. Formulas are stated here; the rates they use are data of the machine's profile.

import type { Profile } from "./profiles.js";
import { childCount, groupCount, samples, stageShape, type Transform } from "./transform.js";

/** A long convolution of x[batch, length, channels] with `groups` filters over lags minLag..maxLag. */
export interface ConvolutionRequest {
  readonly length: number;
  readonly channels: number;
  readonly groups: number;
  readonly minLag: number;
  readonly maxLag: number;
  readonly circular: boolean;
  /** The batch the choice is made for; any batch runs. */
  readonly batch: number;
}

export interface Cost {
  readonly seconds: number;
  readonly flops: number;
  /** Bytes read and written by all ops. */
  readonly bytes: number;
  readonly launches: number;
  /** Root mean square error relative to that of the output. */
  readonly rmsError: number;
  /** Bytes of constants: of this convolution, and shared by all that use the same transform. */
  readonly constants: { readonly own: number; readonly shared: number };
}

function elementBytes(profile: Profile): number {
  return profile.precision === "f16" ? 2 : 4;
}

function bandwidth(profile: Profile, workingSet: number): number {
  const rows = profile.bandwidth;
  return (rows.find((row) => workingSet <= row.upTo) ?? rows[rows.length - 1]!).bytesPerSecond;
}

/** Adds ops up: t = sum (flops/F + bytes/BW) or sum max(flops/F, bytes/BW), plus the dispatch of each. */
class Meter {
  seconds = 0;
  flops = 0;
  bytes = 0;
  launches = 0;
  constructor(
    readonly profile: Profile,
    readonly bytesPerSecond: number,
  ) {}

  op(flops: number, bytes: number, flopsPerSecond = this.profile.flopsPerSecond): void {
    const [compute, memory] = [flops / flopsPerSecond, bytes / this.bytesPerSecond];
    const busy = this.profile.overlap === "sum" ? compute + memory : Math.max(compute, memory);
    this.seconds += this.profile.dispatch + busy;
    this.flops += flops;
    this.bytes += bytes;
    this.launches += 1;
  }
}

/**
 * A chain of stage products: per product 2 rows columns flops and (rows + columns) elements for each column
 * of data, plus its matrices; the broadcast multiplication reads 2 and the spectrum's 2, and writes 4. Rates
 * follow the working set of that multiplication, 6 elements per point. `blocks` groups of channels run one
 * after another between a split and a concat, which shrinks the working set. Sequence-first layouts transpose
 * on the way in and out.
 */
export function transformCost(
  request: ConvolutionRequest,
  transform: Transform,
  blocks: number,
  profile: Profile,
): Cost {
  const size = elementBytes(profile);
  const stages = transform.factors.length;
  const columns = (request.batch * request.channels) / blocks;
  const slots = groupCount(transform, stages - 1) * childCount(transform, stages - 1);
  const meter = new Meter(profile, bandwidth(profile, 6 * size * slots * columns));
  let matrices = 0;
  for (const direction of ["forward", "inverse"] as const) {
    for (let stage = 0; stage < stages; stage++) {
      const { batch, rows, columns: depth, inner } = stageShape(transform, stage, direction);
      const isAligned = rows % profile.alignment === 0 && depth % profile.alignment === 0;
      const rate = profile.flopsPerSecond / (isAligned ? 1 : profile.unaligned);
      const data = batch * inner * columns;
      const entries = batch * rows * depth;
      meter.op(2 * data * rows * depth, size * (data * (rows + depth) + entries), rate);
      matrices += entries;
    }
  }
  const width = request.channels / blocks;
  meter.op(4 * slots * columns, size * (6 * slots * columns + 2 * slots * width));
  if (profile.layout === "sequence_first" && request.batch > 1) {
    const moved = 2 * size * request.length * columns;
    meter.op(0, moved);
    meter.op(0, moved);
  }
  if (samples(transform) !== request.length) {
    const moved = size * (request.length + samples(transform)) * columns;
    meter.op(0, moved);
    meter.op(0, moved);
  }
  let seconds = meter.seconds * blocks;
  let launches = meter.launches * blocks;
  let bytes = meter.bytes * blocks;
  if (blocks > 1) {
    const whole = new Meter(profile, bandwidth(profile, 6 * size * slots * columns * blocks));
    const moved = 2 * size * request.length * request.batch * request.channels;
    whole.op(0, moved);
    whole.op(0, moved);
    seconds += whole.seconds;
    launches += whole.launches;
    bytes += whole.bytes;
  }
  return {
    seconds,
    flops: meter.flops * blocks,
    bytes,
    launches,
    rmsError: transformError(transform.factors, profile),
    constants: { own: size * 2 * slots * request.groups, shared: size * matrices },
  };
}

/**
 * Fitted over orders 1-4 and N = 128..16384 on the CPU: 1.9e-7 (sum of factors / 24)^0.35, so higher orders
 * err less. Low-precision products were emulated: 4.3-6.0e-4 for TF32 operands, 5.8-7.8e-4 for f16, all N.
 */
function transformError(factors: readonly number[], profile: Profile): number {
  if (profile.precision === "tf32") return 5.2e-4;
  if (profile.precision === "f16") return 6.8e-4;
  return 1.9e-7 * (factors.reduce((sum, factor) => sum + factor, 0) / 24) ** 0.35;
}

/** Taps that can meet a sample: |lag| < length. */
export function usefulTaps({ length, minLag, maxLag }: ConvolutionRequest): number {
  return Math.min(maxLag, length - 1) - Math.max(minLag, 1 - length) + 1;
}

/** Transpose to [B, D, L], a grouped convolution of K taps, transpose back: 2 B L K D operations. */
export function depthwiseCost(request: ConvolutionRequest, profile: Profile): Cost {
  const size = elementBytes(profile);
  const taps = usefulTaps(request);
  const elements = request.batch * request.length * request.channels;
  const meter = new Meter(profile, bandwidth(profile, 6 * size * elements));
  meter.op(0, 2 * size * elements);
  meter.op(2 * elements * taps, profile.overlap === "sum" ? 0 : 2 * size * elements, profile.depthwise);
  meter.op(0, 2 * size * elements);
  // Errors of 1.0e-7 at 128 taps and 2.4e-7 at 1024 were measured; below, the output's own rounding remains.
  const sum = 1e-7 * (taps / 128) ** 0.42;
  return {
    ...totals(meter),
    rmsError: directError(profile, sum),
    constants: { own: size * taps * request.channels, shared: 0 },
  };
}

/** A dense L x L matrix per filter, shared by channels/groups columns: 2 B L^2 D operations. */
export function toeplitzCost(request: ConvolutionRequest, profile: Profile): Cost {
  const size = elementBytes(profile);
  const elements = request.batch * request.length * request.channels;
  const matrix = request.groups * request.length ** 2;
  const meter = new Meter(profile, bandwidth(profile, 2 * size * elements));
  const { one, many } = profile.toeplitz;
  const traffic = profile.overlap === "sum" ? 0 : size * (2 * elements + matrix);
  meter.op(2 * elements * request.length, traffic, request.groups === 1 ? one : many);
  if (request.groups > 1) {
    meter.op(0, 2 * size * elements);
    meter.op(0, 2 * size * elements);
  }
  // Partial sums of m terms grow as the square root of their count: u/sqrt 3 sqrt(m / 2) for one running sum,
  // half the square once a product keeps several. Measured: 1.1e-7 at 64 samples, 2.0e-7 at 128 two-sided.
  const sum = (2 ** -24 / Math.sqrt(3)) * Math.sqrt(meanTerms(request) / 4);
  return {
    ...totals(meter),
    rmsError: directError(profile, sum),
    constants: { own: size * matrix, shared: 0 },
  };
}

/** Taps that meet a sample, on average over the line. */
function meanTerms(request: ConvolutionRequest): number {
  const { length, minLag, maxLag, circular } = request;
  if (circular) return Math.min(length, maxLag - minLag + 1);
  let terms = 0;
  for (let lag = Math.max(minLag, 1 - length); lag <= Math.min(maxLag, length - 1); lag++)
    terms += length - Math.abs(lag);
  return terms / length;
}

/** The DFT op as PyTorch's exporter emits it: 10-19 times the right-angle chain, error growing with log M. */
export function dftCost(request: ConvolutionRequest, best: Cost, profile: Profile): Cost {
  const padded = 2 ** Math.ceil(Math.log2(2 * request.length - 1 || 1));
  const bins = padded / 2 + 1;
  return {
    seconds: 14 * best.seconds,
    flops: 7.5 * padded * Math.log2(padded || 2) * request.batch * request.channels,
    bytes: 14 * best.bytes,
    launches: 8,
    rmsError: directError(profile, 3.6e-7 + 0.45e-7 * Math.max(0, Math.log2(padded) - 8)),
    constants: { own: 8 * bins * request.groups, shared: 0 },
  };
}

/** Error of a plain sum: in low precision that of rounded operands (emulated), in f32 the output's and the sum's. */
function directError(profile: Profile, sum: number): number {
  if (profile.precision === "tf32") return 2.9e-4;
  if (profile.precision === "f16") return 3.6e-4;
  return Math.hypot(2 ** -24 / Math.sqrt(3), sum);
}

function totals({ seconds, flops, bytes, launches }: Meter) {
  return { seconds, flops, bytes, launches };
}

/** Points a transform must have: M >= L at a right angle; L + the filter's reach where packed lines wrap. */
export function leastPoints(request: ConvolutionRequest, form: Transform["form"]): number {
  const { length, minLag, maxLag, circular } = request;
  if (form === "right_angle" || circular) return length;
  return length + Math.min(length - 1, Math.max(maxLag, -minLag, 0));
}
