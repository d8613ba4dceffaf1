// What graphs that attend to an encoder's output are fed along a trajectory: the same numbers in every step.

import { normalNoise } from "../diffusion/normal.js";
import { deriveKey } from "../diffusion/rng.js";
import { evaluate } from "../ir/evaluate.js";
import { findGraph, type Module, type Value } from "../ir/graph.js";
import { count, type Tensor, tensor } from "../ir/tensor.js";
import { stored } from "./stored.js";

/** Stream of the generator that trajectories do not use for noise. */
const stream = 2000;

/** The tensor of an input `encoder` or `encoder_mask`; undefined for others. */
export function encoderInput({ hint, type }: Value, batch: number): Tensor | undefined {
  if (hint !== "encoder" && hint !== "encoder_mask") return undefined;
  const shape = type.shape.map((extent) => extent.value ?? batch);
  const n = count(shape);
  if (hint === "encoder")
    return stored(
      tensor(type.element, shape, Float64Array.from(normalNoise(deriveKey(0, stream), 0, 1, n, 1))),
    );
  // Row b has all positions but the last b, and at least one.
  const positions = shape[1]!;
  const there = (i: number): boolean => i % positions < Math.max(1, positions - Math.floor(i / positions));
  return tensor(
    type.element,
    shape,
    Float64Array.from({ length: n }, (_, i) => (there(i) ? 1 : 0)),
  );
}

/** What the reference's @encode gives for it, by name; nothing when the module has none. */
export function encodedInputs(module: Module, batch: number): Readonly<Record<string, Tensor>> {
  const encode = findGraph(module, "encode");
  if (encode === undefined) return {};
  const values = evaluate(
    module,
    "encode",
    encode.inputs.map((value) => encoderInput(value, batch)!),
  );
  return Object.fromEntries(encode.outputNames.map((name, i) => [name, stored(values[i]!)]));
}
