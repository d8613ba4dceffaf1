// long_conv summed directly: filters of few taps, where a transform would move and compute more. An invocation
// makes four neighbouring samples (of four channels where each has its filter), so neighbours share what they read.

import { invocations } from "../grid.js";
import type { Implementation, KernelRequest, Source } from "../kernel.js";
import { axesPlace, flatPlace, modulo, plus, times } from "../place.js";
import { single } from "../single.js";
import type { KernelWriter } from "../writer.js";

/** Samples an invocation makes. */
const run = 4;

/** Filters of more taps loop over them. */
const unrolledTaps = 24;

type Request = KernelRequest<"long_conv">;

/** y[b,t,c] = sum_j k[j, floor(c G / D)] x[b, t - j + lag0, c] + skip[c] x[b,t,c]. */
export function shortConv(request: Request): Implementation {
  const { attributes, operandTypes, suffix, around } = request;
  const [batch, length, width] = operandTypes.x.shape as [number, number, number];
  const [taps, groups] = operandTypes.k.shape as [number, number];
  const lanes = width % 4 === 0 && groups === width ? 4 : 1;
  const { writer, operands, results } = request.open({ lanes });
  const runs = Math.ceil(length / run);
  const shape = [batch, runs, width / lanes];
  const zero = lanes === 4 ? "vec4f(0.0)" : "0.0";
  const work = invocations(writer, batch * runs * (width / lanes), (i) => {
    const place = flatPlace(shape, i);
    const [b, r, column] = [0, 1, 2].map((axis) =>
      writer.bind(place.axis(axis), ["b", "r", "column"][axis]!),
    ) as [string, string, string];
    const c = lanes === 4 ? writer.bind(times(column, 4), "c") : column;
    const first = writer.bind(times(r, run), "first");
    const sums = Array.from({ length: run }, (_, t) => writer.variable(`y${t}`, zero));
    const sample = (t: string): string => operands.x.load(axesPlace(operands.x.shape, [b, t, c], lanes));
    const tap = (j: string): string => tapOf(writer, operands.k, j, c, width, lanes);
    const { lag0, circular } = attributes;
    const line: Line = { writer, length, taps, lag0, circular, zero, first, sums, sample, tap };
    if (taps <= unrolledTaps) unrolled(line);
    else looped(line);
    sums.forEach((sum, t) => {
      const at = plus(first, `${t}u`);
      const store = (): void => {
        const skip = operands.skip?.load(axesPlace([width], [c], lanes));
        const value = skip === undefined ? sum : `${sum} + ${skip} * ${sample(at)}`;
        results[0]!.store(axesPlace(results[0]!.shape, [b, at, c], lanes), value);
      };
      if (length % run === 0) store();
      else writer.block(`if (${at} < ${length}u)`, store);
    });
  });
  const kernel = writer.finish({
    name: `short_conv_${taps}_taps_${length}x${width}${suffix}`,
    comment: [
      `y[t, c] = sum over ${taps} taps j of k[j, filter of c] x[t - j${attributes.lag0 === 0 ? "" : ` + ${attributes.lag0}`}, c] over ${length} samples of ${width} channels${attributes.circular ? ", lags modulo the length" : ""}.`,
      ...around.map((text) => `  with ${text}`),
    ],
    ...work,
  });
  return single(writer, kernel);
}

interface Line {
  readonly writer: KernelWriter;
  readonly length: number;
  readonly taps: number;
  readonly lag0: number;
  readonly circular: boolean;
  readonly zero: string;
  /** The first sample of the run. */
  readonly first: string;
  readonly sums: readonly string[];
  sample(t: string): string;
  tap(j: string): string;
}

/** The sample `offset` after the first of the run; zero outside the line, or the line's other end. */
function shifted({ writer, length, zero, first, circular, sample }: Line, offset: number): string {
  if (circular) {
    const positive = ((offset % length) + length) % length;
    return sample(writer.bind(modulo(plus(first, `${positive}u`), length), "s"));
  }
  // Below 0 the difference wraps to a large u32, so one comparison tests both ends.
  const s =
    offset < 0 ? writer.bind(`${first} - ${-offset}u`, "s") : writer.bind(plus(first, `${offset}u`), "s");
  const value = writer.variable("x_s", zero);
  writer.block(`if (${s} < ${length}u)`, () => writer.line(`${value} = ${sample(s)};`));
  return value;
}

/** Every sample of the window is read once, and added to each of the run's sums that it reaches. */
function unrolled(line: Line): void {
  const { writer, taps, lag0, sums } = line;
  const filter = Array.from({ length: taps }, (_, j) => line.tap(`${j}u`));
  for (let offset = lag0 - taps + 1; offset < lag0 + run; offset++) {
    const value = shifted(line, offset);
    sums.forEach((sum, t) => {
      // s = first + offset = (first + t) - j + lag0
      const j = t + lag0 - offset;
      if (j >= 0 && j < taps) writer.line(`${sum} += ${filter[j]} * ${value};`);
    });
  }
}

function looped(line: Line): void {
  const { writer, taps, lag0, sums, length, circular, zero, first } = line;
  writer.loop("j", "0u", `${taps}u`, 1, (j) => {
    const k = writer.bind(line.tap(j), "k_j");
    sums.forEach((sum, t) => {
      // A multiple of the length keeps the difference positive.
      const turns = Math.ceil(taps / length) * length;
      const s = writer.bind(
        circular
          ? `(${plus(first, `${t + lag0 + turns}u`)} - ${j}) % ${length}u`
          : `${plus(first, `${t + lag0}u`)} - ${j}`,
        "s",
      );
      const value = writer.variable("x_s", zero);
      writer.block(`if (${s} < ${length}u)`, () => writer.line(`${value} = ${line.sample(s)};`));
      writer.line(`${sum} += ${k} * ${value};`);
    });
  });
}

function tapOf(writer: KernelWriter, k: Source, j: string, c: string, width: number, lanes: 1 | 4): string {
  const groups = k.shape[1]!;
  if (groups === width) return k.load(axesPlace(k.shape, [j, c], lanes));
  const filter = groups === 1 ? "0u" : writer.bind(`${c} / ${width / groups}u`, "filter");
  return k.load(axesPlace(k.shape, [j, filter]));
}
