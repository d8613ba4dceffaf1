// The chain of products a transform is: stages forward, one broadcast multiplication by the spectrum, stages
// back, with nothing but reshapes between them (src/ir/fft/transform.ts has the index maps).

import { type Dim, dim } from "../../ir/dim.js";
import type { Profile } from "../../ir/fft/profiles.js";
import {
  type Direction,
  samples,
  spectrumShape,
  stageShape,
  type Transform,
} from "../../ir/fft/transform.js";
import type { Value } from "../../ir/graph.js";
import type { Rewriter } from "../../ir/rewrite.js";
import { padded, reshaped, sliced } from "./view.js";

/** What the columns of a chain are: axes before the line, and numbers per sample after it. */
export interface Columns {
  readonly lead: readonly Dim[];
  readonly width: Dim;
}

/** One stage: data [lead.., batch, columns, inner * width] -> [lead.., batch, rows, inner * width]. */
function stageProduct(
  b: Rewriter,
  transform: Transform,
  stage: number,
  direction: Direction,
  data: Value,
  { lead, width }: Columns,
  complexInput = false,
): Value {
  const shape = stageShape(transform, stage, direction, complexInput);
  const batch = shape.batch === 1 ? [] : [dim(shape.batch)];
  const { form, factors, rows, scaling } = transform;
  const element = data.type.element === "f16" ? "f16" : "f32";
  const matrix = b.emit(
    "fft_matrix",
    {},
    { form, factors, rows, stage, direction, complex_input: complexInput, scaling, element },
    `${direction}_${stage}`,
  );
  const columns = reshaped(b, data, [...lead, ...batch, shape.columns, width.times(shape.inner)]);
  return b.emit("matmul", { a: matrix, b: columns }, {});
}

/** Forward stages over a line of `samples(transform)` values (2 M of them, (re, im), with complex input). */
export function transformLines(
  b: Rewriter,
  transform: Transform,
  line: Value,
  columns: Columns,
  complexInput = false,
): Value {
  let data = line;
  transform.factors.forEach((_, stage) => {
    data = stageProduct(b, transform, stage, "forward", data, columns, complexInput && stage === 0);
  });
  return data;
}

/** y[B, L, D] = x convolved with the filter whose spectrum [Q, 2, 1, K, G] is given. */
export function convolveLines(
  b: Rewriter,
  transform: Transform,
  x: Value,
  spectrum: Value,
  layout: Profile["layout"] = "batch_first",
): Value {
  const [batch, length, width] = x.type.shape as [Dim, Dim, Dim];
  const extra = samples(transform) - length.value!;
  if (layout === "batch_first" || batch.value === 1) {
    const columns = { lead: [batch], width };
    const data = convolveData(b, transform, padded(b, x, 1, 0, extra), spectrum, columns, [width]);
    return sliced(b, reshaped(b, data, [batch, samples(transform), width]), 1, 0, length.value!);
  }
  // [L, B, D]: the batch is part of the columns, so the stage matrices have exactly the data's batch axes.
  const turned = b.emit("transpose", { x: padded(b, x, 1, 0, extra) }, { permutation: [1, 0, 2] });
  const columns = { lead: [], width: batch.times(width) };
  const data = convolveData(b, transform, turned, spectrum, columns, [batch, width]);
  const lines = sliced(b, reshaped(b, data, [samples(transform), batch, width]), 0, 0, length.value!);
  return b.emit("transpose", { x: lines }, { permutation: [1, 0, 2] });
}

/** The whole chain; `channels` are the axes a column stands for, the filter's channels last. */
function convolveData(
  b: Rewriter,
  transform: Transform,
  lines: Value,
  spectrum: Value,
  columns: Columns,
  channels: readonly Dim[],
): Value {
  let data = transformLines(b, transform, lines, columns);
  data = multiplySpectrum(b, transform, data, spectrum, columns.lead, channels);
  for (let stage = transform.factors.length - 1; stage >= 0; stage--)
    data = stageProduct(b, transform, stage, "inverse", data, columns);
  return data;
}

/** (a, b) by (c, d) -> (ac, bc, ad, bd) in one broadcast: [.., Q, 1, 2, K, (B,) D] by [Q, 2, 1, K, (1,) G]. */
function multiplySpectrum(
  b: Rewriter,
  transform: Transform,
  data: Value,
  spectrum: Value,
  lead: readonly Dim[],
  channels: readonly Dim[],
): Value {
  const [Q, , , K] = spectrumShape(transform, 1) as [number, number, number, number, number];
  const groups = spectrum.type.shape[4]!;
  const outer = channels.slice(0, -1);
  const width = channels[channels.length - 1]!;
  const isShared = groups.value !== 1 && !groups.equals(width);
  // Filters shared by D / G neighbouring channels broadcast over an axis of their own.
  const inner = isShared ? [groups, width.dividedBy(groups)!] : [width];
  const ofFilter = isShared ? [groups, 1] : [groups];
  return b.emit(
    "mul",
    {
      a: reshaped(b, data, [...lead, Q, 1, 2, K, ...outer, ...inner]),
      b: reshaped(b, spectrum, [Q, 2, 1, K, ...outer.map(() => 1), ...ofFilter]),
    },
    {},
  );
}
