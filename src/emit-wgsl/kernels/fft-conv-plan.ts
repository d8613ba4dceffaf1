// How the lines of an FFT convolution are laid on workgroups: which stages a workgroup holds, how many channels
// and invocations it has, and whether its memory holds whole complex numbers or one part at a time.

import type { Limits } from "../limits.js";

/** Points a workgroup transforms in its memory: stages `from` .. p-1 of the transform. */
export interface LinePlan {
  readonly factors: readonly number[];
  /** 0: the whole transform. 1: what is left after stage 0, a line for every value of k_1. */
  readonly from: 0 | 1;
  /** N_(from+1) .. N_p. */
  readonly points: number;
  /** Neighbouring channels of one workgroup: they are neighbours in memory too. */
  readonly channels: number;
  /** Invocations per channel. */
  readonly threads: number;
  /**
   * `complex`: 8 bytes a point, one barrier a stage. `split`: 4 bytes a point; numbers stay in registers and
   * real parts, then imaginary parts pass through memory, four barriers a stage.
   */
  readonly mode: "complex" | "split";
}

/** Numbers of a line an invocation may hold in registers. */
const heldPoints = 32;

const productOf = (factors: readonly number[]): number => factors.reduce((a, b) => a * b, 1);

/**
 * The plan for lines of the stages from `from` on, over `width` channels; undefined when not even one channel fits.
 * Four channels fill half a sector of memory, 64 invocations two warps: more is not asked for.
 */
export function planLine(
  factors: readonly number[],
  from: 0 | 1,
  width: number,
  limits: Limits,
): LinePlan | undefined {
  const own = factors.slice(from);
  const points = productOf(own);
  const most = Math.min(limits.maxComputeInvocationsPerWorkgroup, limits.maxComputeWorkgroupSizeX, 256);
  const idle = own.length === 1;
  const widest = 2 ** Math.ceil(Math.log2(Math.min(width, 64)));
  const smallest = Math.min(...own.map((radix) => points / radix));
  const fits = (channels: number, mode: LinePlan["mode"]): boolean => {
    const bytes = idle ? 0 : channels * points * (mode === "complex" ? 8 : 4);
    return (
      bytes <= limits.maxComputeWorkgroupStorageSize && Math.ceil(points / heldPoints) * channels <= most
    );
  };
  let wanted = Math.min(widest, Math.max(4, 2 ** Math.ceil(Math.log2(64 / smallest))));
  // Channels beyond the last are work for nothing.
  while (wanted > 4 && Math.ceil(width / wanted) * wanted > 1.25 * width) wanted /= 2;
  const largest = (mode: LinePlan["mode"]): number => {
    let channels = wanted;
    while (channels >= 1 && !fits(channels, mode)) channels /= 2;
    return channels;
  };
  const [complex, split] = [largest("complex"), largest("split")];
  const mode = complex >= 1 && (complex >= 2 || split < 2) ? "complex" : "split";
  const channels = mode === "complex" ? complex : split;
  if (channels < 1) return undefined;
  const threads = Math.min(smallest, Math.floor(most / channels));
  return { factors, from, points, channels, threads, mode };
}

/** The longest transform whose line fits one workgroup's memory: 4 bytes a point, and 32 points an invocation. */
export function longestLine(limits: Limits): number {
  return Math.min(
    Math.floor(limits.maxComputeWorkgroupStorageSize / 4),
    heldPoints * Math.min(limits.maxComputeInvocationsPerWorkgroup, 256),
  );
}
