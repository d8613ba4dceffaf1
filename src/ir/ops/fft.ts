// Transforms: the stage matrices and filter spectra of long convolutions (constants that stay a line of
// text), and the plain real transforms for spectral mixers and for the profile that asks for DFT by name.

import { type Dim, dim } from "../dim.js";
import { fft, inverseFft } from "../fft/mixed-radix.js";
import { spectrumOfTaps } from "../fft/spectrum.js";
import { stageMatrix } from "../fft/stages.js";
import { points, spectrumShape, stageShape, type Transform } from "../fft/transform.js";
import { lines } from "../loops.js";
import { attribute, type Check, choice, defineOp, rounding, withDefault } from "../op.js";
import { type Tensor, tensor } from "../tensor.js";
import { type TensorType, typeText, withExtent } from "../type.js";

const form = choice("right_angle", "packed_circular");
const scaling = withDefault(choice("last", "each"), "last");
const element = withDefault(choice("f32", "f16"), "f32");

/** Whether form and factors make a transform; what `fft_matrix` and `fft_spectrum` both ask first. */
function isTransform(op: string, kind: string, factors: readonly number[], check: Check): boolean {
  const whole = factors.length > 0 && factors.every((factor) => Number.isInteger(factor) && factor >= 1);
  check.that(whole, `${op}_c1`, `factors must be positive integers, got [${factors.join(", ")}]`);
  const isEven = kind !== "packed_circular" || factors[0]! % 2 === 0;
  check.that(isEven, `${op}_c2`, `packed_circular needs an even first factor, got [${factors.join(", ")}]`);
  return whole && isEven;
}

export const fftMatrix = defineOp({
  name: "fft_matrix",
  summary:
    "the real matrices [batch, rows, columns] of one stage of a transform of N_1 .. N_p points, batch left out when 1; rows: values of n_1 that carry data; see src/ir/fft/transform.ts",
  operands: [],
  attributes: {
    form,
    factors: attribute.ints,
    rows: attribute.int,
    stage: attribute.int,
    direction: choice("forward", "inverse"),
    complex_input: withDefault(attribute.bool, false),
    scaling,
    element,
  },
  fusion: "constant",
  type(_, { form, factors, rows, stage, direction, complex_input, scaling, element }, check) {
    const unknown = [{ element, shape: [] }];
    if (!isTransform("fft_matrix", form, factors, check)) return unknown;
    const isStage = Number.isInteger(stage) && stage >= 0 && stage < factors.length;
    check.that(isStage, "fft_matrix_c3", `stage ${stage} is not one of the ${factors.length} factors`);
    const fits = Number.isInteger(rows) && rows >= 1 && rows <= factors[0]!;
    check.that(fits, "fft_matrix_c4", `rows must lie in 1..${factors[0]}, got ${rows}`);
    const readsComplex = form === "right_angle" && direction === "forward" && stage === 0;
    check.that(
      !complex_input || readsComplex,
      "fft_matrix_c5",
      `only stage 0 of right_angle forward may take complex input, got stage ${stage} of ${form} ${direction}`,
    );
    if (!isStage || !fits) return unknown;
    const shape = stageShape({ form, factors, rows, scaling }, stage, direction, complex_input);
    return [{ element, shape: stackDims(shape).map(dim) }];
  },
  evaluate(_, { form, factors, rows, stage, direction, complex_input, scaling, element }) {
    const stack = stageMatrix({ form, factors, rows, scaling }, stage, direction, complex_input);
    return [tensor(element, stackDims(stack), stack.data)];
  },
  rounding: rounding.ulps(1),
});

function stackDims({ batch, rows, columns }: { batch: number; rows: number; columns: number }): number[] {
  return batch === 1 ? [rows, columns] : [batch, rows, columns];
}

export const fftSpectrum = defineOp({
  name: "fft_spectrum",
  summary:
    "spectrum [Q, 2, 1, K, C] of the filter y[t,c] = scale[c] (sum_s k[t-s+lag0, floor(c G / C)] x[s,c] + skip[c] x[t,c]) for lines of `length` samples; C = G without skip and scale",
  operands: ["taps", "skip?", "scale?"],
  attributes: {
    form,
    factors: attribute.ints,
    lag0: attribute.int,
    circular: withDefault(attribute.bool, false),
    length: attribute.dim,
  },
  fusion: "opaque",
  type({ taps, skip, scale }, { form, factors, lag0, circular, length }, check) {
    const unknown = [{ element: taps.element, shape: [] }];
    if (!isTransform("fft_spectrum", form, factors, check)) return unknown;
    const ranked = taps.element === "f32" && taps.shape.length === 2;
    check.that(ranked, "fft_spectrum_c3", `taps must be f32[T, G], got ${typeText(taps)}`);
    if (!ranked) return unknown;
    const [count, groups] = taps.shape as [Dim, Dim];
    check.that(
      lag0 >= 0 && lag0 <= count.max - 1,
      "fft_spectrum_c4",
      `lag0 ${lag0} is not one of the ${count} taps`,
    );
    checkPoints(points({ factors }), { form, lag0, circular, length, taps: count }, check);
    const perChannel = skip ?? scale;
    const channels = perChannel?.shape[0] ?? groups;
    const fits = [skip, scale].every(
      (v) => v === undefined || (v.shape.length === 1 && v.shape[0]!.equals(channels)),
    );
    check.that(
      fits && channels.dividedBy(groups) !== undefined,
      "fft_spectrum_c6",
      `skip and scale must be [C] with C a multiple of the ${groups} filters, got ${[skip, scale].map((v) => (v ? typeText(v) : "none")).join(" and ")}`,
    );
    const transform: Transform = { form, factors, rows: factors[0]!, scaling: "last" };
    return [{ element: "f32", shape: [...spectrumShape(transform, 1).slice(0, -1).map(dim), channels] }];
  },
  evaluate({ taps, skip, scale }, { form, factors, lag0, circular, length }, context) {
    const transform: Transform = { form, factors, rows: factors[0]!, scaling: "last" };
    const groups = taps.shape[1]!;
    const channels = (skip ?? scale)?.shape[0] ?? groups;
    const data = spectrumOfTaps(
      transform,
      { data: taps.data, groups, lag0, circular },
      context.size(length),
      {
        channels,
        skip: skip?.data,
        scale: scale?.data,
      },
    );
    return [tensor("f32", spectrumShape(transform, channels), data)];
  },
  rounding: rounding.ulps(1),
});

/** Enough points that nothing which wraps is seen: M >= L at a right angle, L + reach or just L packed. */
function checkPoints(
  M: number,
  filter: { form: string; lag0: number; circular: boolean; length: Dim; taps: Dim },
  check: Check,
): void {
  const { form, lag0, circular, length, taps } = filter;
  const reach = Math.min(length.max - 1, Math.max(taps.max - 1 - lag0, lag0));
  const isPacked = form === "packed_circular";
  const least = length.max + (isPacked && !circular ? reach : 0);
  const isEnough = isPacked && circular ? length.value === M : M >= least;
  const wanted = isPacked && circular ? `exactly ${length.max}` : `at least ${least}`;
  check.that(isEnough, "fft_spectrum_c5", `this filter needs ${wanted} points, the factors give ${M}`);
}

function lineCheck(op: string, x: TensorType, axis: number, wanted: string, check: Check): boolean {
  check.that(x.element === wanted, `${op}_c1`, `x must be ${wanted}, got ${typeText(x)}`);
  const inRange = Number.isInteger(axis) && axis >= 0 && axis < x.shape.length;
  check.that(inRange, `${op}_c2`, `axis ${axis} is out of range for rank ${x.shape.length}`);
  return inRange;
}

/**
 * log2(2N) |line|_2 for every result number: each of log2 N stages adds a few roundings of the line's norm.
 */
function lineRounding(x: Tensor, y: Tensor, axis: number, per: { x: number; y: number }, scale: number) {
  const out = new Float64Array(y.data.length);
  const n = y.shape[axis]!;
  lines(x.shape, axis, n, (from, to, stride) => {
    let square = 0;
    for (let i = 0; i < x.shape[axis]!; i++)
      for (let part = 0; part < per.x; part++) square += x.data[(from + i * stride) * per.x + part]! ** 2;
    const size = scale * Math.log2(2 * Math.max(n, x.shape[axis]!)) * Math.sqrt(square);
    for (let i = 0; i < n; i++)
      for (let part = 0; part < per.y; part++) out[(to + i * stride) * per.y + part] = size;
  });
  return [out];
}

export const rfft = defineOp({
  name: "rfft",
  summary:
    "y[k] = sum_n x[n] exp(-2 pi i k n / length) along axis, k = 0 .. floor(length/2); x is zero beyond its extent",
  operands: ["x"],
  attributes: { axis: attribute.int, length: attribute.dim },
  fusion: "opaque",
  type({ x }, { axis, length }, check) {
    if (!lineCheck("rfft", x, axis, "f32", check)) return [{ element: "c64", shape: x.shape }];
    const room = length.minus(x.shape[axis]!);
    check.that(
      length.min >= 1 && room.min >= 0,
      "rfft_c3",
      `length ${length} is below the extent ${x.shape[axis]} of axis ${axis}: samples would be lost`,
    );
    return [{ ...withExtent(x, axis, length.floorDiv(2).plus(1)), element: "c64" }];
  },
  evaluate({ x }, { axis, length }, context) {
    const n = context.size(length);
    const bins = Math.floor(n / 2) + 1;
    const shape = x.shape.map((extent, i) => (i === axis ? bins : extent));
    const out = tensor("c64", shape);
    const line = new Float64Array(2 * n);
    lines(x.shape, axis, bins, (from, to, stride) => {
      for (let i = 0; i < x.shape[axis]!; i++) line[2 * i] = x.data[from + i * stride]!;
      const spectrum = fft(line);
      for (let k = 0; k < bins; k++) {
        out.data[2 * (to + k * stride)] = spectrum[2 * k]!;
        out.data[2 * (to + k * stride) + 1] = spectrum[2 * k + 1]!;
      }
    });
    return [out];
  },
  rounding: ({ x }, [y], { axis }) => lineRounding(x, y!, axis, { x: 1, y: 2 }, 1),
});

export const irfft = defineOp({
  name: "irfft",
  summary:
    "the real line of `length` samples along axis whose rfft is x: y[t] = 1/length sum_k X[k] exp(2 pi i k t / length), X[length-k] = conj X[k]",
  operands: ["x"],
  attributes: { axis: attribute.int, length: attribute.dim },
  fusion: "opaque",
  type({ x }, { axis, length }, check) {
    if (!lineCheck("irfft", x, axis, "c64", check)) return [{ element: "f32", shape: x.shape }];
    const bins = length.floorDiv(2).plus(1);
    check.that(
      x.shape[axis]!.equals(bins),
      "irfft_c3",
      `a line of ${length} samples has ${bins} bins, x has ${x.shape[axis]} along axis ${axis}`,
    );
    return [{ ...withExtent(x, axis, length), element: "f32" }];
  },
  evaluate({ x }, { axis, length }, context) {
    const n = context.size(length);
    const out = tensor(
      "f32",
      x.shape.map((extent, i) => (i === axis ? n : extent)),
    );
    lines(x.shape, axis, n, (from, to, stride) => {
      const whole = new Float64Array(2 * n);
      for (let k = 0; k < x.shape[axis]!; k++) {
        const re = x.data[2 * (from + k * stride)]!;
        // Bins 0 and n/2 of a real line are real: their imaginary parts are not read.
        const im = (2 * k) % n === 0 ? 0 : x.data[2 * (from + k * stride) + 1]!;
        whole[2 * k] = re;
        whole[2 * k + 1] = im;
        const mirror = (n - k) % n;
        if (mirror !== k) {
          whole[2 * mirror] = re;
          whole[2 * mirror + 1] = -im;
        }
      }
      const line = inverseFft(whole);
      for (let i = 0; i < n; i++) out.data[to + i * stride] = line[2 * i]!;
    });
    return [out];
  },
  rounding: ({ x }, [y], { axis }) => lineRounding(x, y!, axis, { x: 2, y: 1 }, Math.SQRT2 / y!.shape[axis]!),
});
