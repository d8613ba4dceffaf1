// What @step is fed at a row of the sampler's plan, and what of its outputs the next step takes.

import { coefficientsOf, levelInputs, type SamplerRow } from "../diffusion/plan.js";
import type { Graph, Module, Value } from "../ir/graph.js";
import { type Tensor, tensor } from "../ir/tensor.js";
import { fail } from "../support/diagnostic.js";
import type { Candidate } from "./candidate.js";
import { encoderInput } from "./encoder-feed.js";
import type { PredictOptions } from "./predict.js";
import { stored } from "./stored.js";
import { type Named, nothing, type Supplied, supply } from "./supplied.js";

/** Tensors by name: `x` and `x0` of a state, or the outputs of @time. */
export type State = Named;

/** Runs @time for a row, @encode and @filters, those that the module has. One level serves the whole batch. */
export async function supplyStep(
  module: Module,
  candidate: Candidate,
  row: SamplerRow,
  batch: number,
  options: PredictOptions,
): Promise<Supplied> {
  let supplied = nothing;
  for (const name of ["filters", "time", "encode"]) {
    const rows = name === "encode" ? batch : 1;
    const input = (value: Value): Tensor => inputOf(value, {}, row, undefined, rows);
    supplied = await supply(module, candidate, name, input, supplied, options);
  }
  return supplied;
}

/** The tensor of an input of @step (or @time) by its name. Throws `check/unknown-input`. */
export function inputOf(
  { hint, type }: Value,
  state: State,
  row: SamplerRow,
  noise: Tensor | undefined,
  batch: number,
): Tensor {
  const shape = type.shape.map((extent) => extent.value ?? batch);
  const filled = (numbers: readonly number[]): Tensor => {
    const out = tensor(type.element, shape);
    return stored({ ...out, data: out.data.map((_, i) => numbers[i % numbers.length]!) });
  };
  const ofEncoder = encoderInput({ hint, type }, batch);
  if (ofEncoder !== undefined) return ofEncoder;
  const atLevel = levelInputs(row, filled)[hint ?? ""];
  if (atLevel !== undefined) return atLevel;
  switch (hint) {
    case "x":
      return state.x!;
    case "self_cond":
    case "x0_prev":
      return state.x0!;
    case "noise":
      return noise!;
    case "coefficients":
      return filled(coefficientsOf(row));
    case "fixed_mask":
    case "fixed_x":
      return filled([0]);
    case "class":
      // Every table has a first row; the rows of the others are no other arithmetic.
      return filled([0]);
    default:
      return fail("check/unknown-input", `@step takes "${hint}", and a trajectory cannot say what that is`, {
        help: "check @step on its own instead: its inputs are drawn at random",
      });
  }
}

/** What the next step takes from the outputs of this one. */
export function stateOf(graph: Graph, outputs: readonly Tensor[]): State {
  const of = (name: string): Tensor => outputs[graph.outputNames.indexOf(name)]!;
  return { x: of("x_next"), x0: of("x0") };
}
