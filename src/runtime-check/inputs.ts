// Seeded inputs for any graph: what each one means is read off its name, its type and the ops that take it.
// Every number is one that f32 holds, so the reference and the artefact get the same.

import { normalNoise } from "../diffusion/normal.js";
import { deriveKey, squares32, uniform } from "../diffusion/rng.js";
import { coefficientsOf, levelInputs, repeated, type SamplerRow } from "../diffusion/rows.js";
import { type Graph, present, type Value } from "../ir/graph.js";
import { definitionOf } from "../ir/ops/index.js";
import { count, numbersPer, type Tensor, tensor } from "../ir/tensor.js";
import { stored } from "./stored.js";

export interface InputOptions {
  readonly seed?: number;
  /** Sizes of free extents; by default B is 2 and others are 8, within their range. */
  readonly sizes?: Readonly<Record<string, number>>;
  /** The step that level, prior_scale and coefficients are taken from; else they are drawn plausibly. */
  readonly row?: Pick<SamplerRow, "level" | "priorScale" | "scales" | "a" | "b" | "c" | "s" | "positions">;
  /** Tensors by input name, used as they are. */
  readonly given?: Readonly<Record<string, Tensor>>;
}

/** Inputs for a graph without calls, in its order. */
export function makeInputs(graph: Graph, options: InputOptions = {}): Tensor[] {
  const sizes = chooseSizes(graph, options.sizes ?? {});
  return graph.inputs.map((value, i) => {
    const known = value.hint === undefined ? undefined : options.given?.[value.hint];
    if (known !== undefined) return known;
    const shape = value.type.shape.map((extent) => extent.evaluate(sizes));
    return stored(makeInput(graph, value, shape, (options.seed ?? 0) * graph.inputs.length + i, options));
  });
}

/** A size for every free extent of the inputs: given, or the default clamped to the extent's range. */
function chooseSizes(graph: Graph, given: Readonly<Record<string, number>>): Map<string, number> {
  const sizes = new Map(Object.entries(given));
  for (const { type } of graph.inputs) {
    for (const extent of type.shape)
      if (extent.value === undefined && /^\w+$/.test(extent.key) && !sizes.has(extent.key))
        sizes.set(extent.key, Math.min(extent.max, Math.max(extent.min, extent.key === "B" ? 2 : 8)));
  }
  return sizes;
}

function makeInput(
  graph: Graph,
  value: Value,
  shape: readonly number[],
  stream: number,
  { row }: InputOptions,
): Tensor {
  const { element } = value.type;
  const out = tensor(element, shape);
  const n = count(shape) * numbersPer(element);
  const atLevel = row && levelInputs(row, (values) => values);
  const key = deriveKey(0, stream);
  const draw = (i: number): number => uniform(squares32(key, 0, i));
  const fill = (f: (i: number) => number): void => {
    for (let i = 0; i < out.data.length; i++) out.data[i] = f(i);
  };
  // Some text of a batch was seen before.
  if (value.hint === "self_cond_mask") fill((i) => (i === 0 || draw(i) < 0.5 ? 1 : 0));
  // Of a text something is there, most often most of it.
  else if (value.hint === "encoder_mask") fill((i) => (i % shape[1]! === 0 || draw(i) < 0.75 ? 1 : 0));
  else if (element === "bool") fill((i) => (draw(i) < 0.25 ? 1 : 0));
  else if (element === "i32") {
    const rows = indexedRows(graph, value);
    fill((i) => Math.floor(draw(i) * rows));
  } else if (atLevel?.[value.hint ?? ""]) out.data.set(repeated(atLevel[value.hint!]!, n));
  else if (value.hint === "level") fill(draw);
  else if (value.hint?.match(/^c_(in|skip|out)$/)) fill((i) => 0.25 + draw(i));
  else if (value.hint === "self_cond_scale") fill((i) => 0.5 + 2 * draw(i));
  else if (value.hint === "prior_scale") fill((i) => Math.exp(4 * draw(i) - 2));
  else if (value.hint === "coefficients" && n % 4 === 0)
    out.data.set(repeated(row === undefined ? plausibleStep(draw(0)) : coefficientsOf(row), n));
  else out.data.set(normalNoise(key, 0, 1, n, 1));
  return out;
}

/** The DDPM posterior of a step between alpha_bar_t and alpha_bar_s = (alpha_bar_t + 1) / 2 (Ho et al. 2020, eq. 7). */
function plausibleStep(alphaBar: number): number[] {
  const next = (alphaBar + 1) / 2;
  const alpha = alphaBar / next;
  return [
    (Math.sqrt(next) * (1 - alpha)) / (1 - alphaBar),
    (Math.sqrt(alpha) * (1 - next)) / (1 - alphaBar),
    0,
    Math.sqrt(((1 - next) * (1 - alpha)) / (1 - alphaBar)),
  ];
}

/** How many rows the tables have that an integer input indexes, through views; 8 when it indexes none. */
function indexedRows(graph: Graph, input: Value): number {
  const same = new Set<Value>([input]);
  let rows = Number.POSITIVE_INFINITY;
  for (const op of graph.ops) {
    if (op.name === "take" && same.has(op.operands[1]!))
      rows = Math.min(rows, op.operands[0]!.type.shape[0]!.min);
    else if (definitionOf(op.name)!.fusion === "view" && present(op).some((v) => same.has(v)))
      for (const result of op.results) same.add(result);
  }
  return Number.isFinite(rows) ? rows : 8;
}
