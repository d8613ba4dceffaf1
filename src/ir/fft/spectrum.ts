// The spectrum of a long convolution's filter in the order and shape the transform's product wants it, in
// float64, with the skip term and the output scale folded in: both are free there.

import { fft } from "./mixed-radix.js";
import { packedSlots } from "./packed-circular.js";
import { rightAngleBins } from "./right-angle.js";
import { points, type Transform } from "./transform.js";

/** Taps of a long convolution: K_g[lag] = data[(lag + lag0) * groups + g], zero outside the T taps. */
export interface Taps {
  /** [T, groups], row-major. */
  readonly data: Float64Array;
  readonly groups: number;
  readonly lag0: number;
  /** Lags count modulo the convolution's length. */
  readonly circular: boolean;
}

/** What may be folded into the spectrum: y = scale (K * x + skip x), each [channels] where present. */
export interface Folded {
  readonly channels: number;
  readonly skip?: Float64Array | undefined;
  readonly scale?: Float64Array | undefined;
}

/**
 * The taps of one group as M complex numbers, interleaved: a lag j >= 0 stands at j. A negative lag stands at
 * j + M; the right-angle form has z^-M = i, so there it is the imaginary part. Lags that reach no sample of a
 * line of `length` samples are left out; circular taps are wrapped, and for the right-angle form become
 * two-sided.
 */
export function tapsAsSignal(transform: Transform, taps: Taps, group: number, length: number): Float64Array {
  const M = points(transform);
  const isRightAngle = transform.form === "right_angle";
  const signal = new Float64Array(2 * M);
  const put = (lag: number, tap: number): void => {
    const at = 2 * (lag < 0 ? lag + M : lag) + (lag < 0 && isRightAngle ? 1 : 0);
    signal[at]! += tap;
  };
  for (let t = 0; t * taps.groups < taps.data.length; t++) {
    const tap = taps.data[t * taps.groups + group]!;
    const lag = t - taps.lag0;
    if (!taps.circular) {
      if (Math.abs(lag) < length) put(lag, tap);
      continue;
    }
    const wrapped = ((lag % length) + length) % length;
    put(wrapped, tap);
    if (isRightAngle && wrapped > 0) put(wrapped - length, tap);
  }
  return signal;
}

/**
 * The spectrum [Q, 2, 1, K, C] (`spectrumShape`) of the taps for lines of `length` samples. C is the number
 * of groups, or of channels when a skip or a scale makes channels differ; channel c reads group floor(c G /
 * channels).
 */
export function spectrumOfTaps(
  transform: Transform,
  taps: Taps,
  length: number,
  folded?: Folded,
): Float64Array {
  const order = spectrumOrder(transform);
  const bins = order.length;
  const perChannel = folded?.skip !== undefined || folded?.scale !== undefined;
  const channels = perChannel ? folded.channels : taps.groups;
  const result = new Float64Array(2 * bins * channels);
  const spectra = Array.from({ length: taps.groups }, (_, group) =>
    readBins(transform, tapsAsSignal(transform, taps, group, length), order),
  );
  const inner = innerBins(transform);
  for (let channel = 0; channel < channels; channel++) {
    const spectrum = spectra[Math.floor((channel * taps.groups) / channels)]!;
    const skip = folded?.skip?.[channel] ?? 0;
    const scale = folded?.scale?.[channel] ?? 1;
    for (let i = 0; i < bins; i++) {
      const at = (2 * Math.floor(i / inner) * inner + (i % inner)) * channels + channel;
      // A packed pair holds two real bins; the identity filter is 1 in both.
      result[at] = scale * (spectrum[2 * i]! + skip);
      result[at + inner * channels] = scale * (spectrum[2 * i + 1]! + (order[i]!.isPair ? skip : 0));
    }
  }
  return result;
}

/** The slots of the finished transform in (group, k_p) order. */
function spectrumOrder(transform: Transform): readonly { bin: number; isPair: boolean }[] {
  const stages = transform.factors.length;
  if (transform.form === "packed_circular") return packedSlots(transform, stages);
  return rightAngleBins(transform, stages).map((bin) => ({ bin, isPair: false }));
}

function innerBins({ form, factors }: Transform): number {
  const last = factors[factors.length - 1]!;
  return form === "packed_circular" && factors.length === 1 ? last / 2 : last;
}

/** (re, im) of each slot: bins of exp(-2 pi i (1 + 4k) t / 4M), or plain bins with the real pair (0, M/2). */
function readBins(
  transform: Transform,
  signal: Float64Array,
  order: readonly { bin: number; isPair: boolean }[],
): Float64Array {
  const M = points(transform);
  const bins = fft(transform.form === "right_angle" ? quarterShift(signal) : signal);
  const result = new Float64Array(2 * order.length);
  order.forEach(({ bin, isPair }, i) => {
    result[2 * i] = bins[2 * bin]!;
    result[2 * i + 1] = isPair ? bins[M]! : bins[2 * bin + 1]!;
  });
  return result;
}

/** signal[t] exp(-2 pi i t / 4M): moves the bins by a quarter, so that a plain transform finds them. */
function quarterShift(signal: Float64Array): Float64Array {
  const result = new Float64Array(signal.length);
  for (let i = 0; i < signal.length; i += 2) {
    const angle = (Math.PI * i) / (2 * signal.length);
    const cos = Math.cos(angle);
    const sin = Math.sin(angle);
    result[i] = signal[i]! * cos + signal[i + 1]! * sin;
    result[i + 1] = signal[i + 1]! * cos - signal[i]! * sin;
  }
  return result;
}
