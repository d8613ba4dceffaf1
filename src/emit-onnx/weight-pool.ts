// The tensors that all files of one build share: collected while graphs are built, laid out once in one
// weights.safetensors, then referenced by offset. Numbers are read when they are written, one tensor at a time.
import { createHash } from "node:crypto";
import type { Tensor } from "../ir/tensor.js";
import { bug } from "../support/diagnostic.js";
import { planSafetensors, type SafetensorsLayout, type TensorToWrite } from "../weights/writer.js";
import { packNumbers } from "./bytes.js";
import type { OnnxElement } from "./proto/messages.js";

/** Name of the one weight file, as the ONNX files spell it. */
export const weightFile = "weights.safetensors";

const dtypes = { float: "F32", float16: "F16", int64: "I64", bool: "BOOL" } as const;

/** What a graph builder sees of the pool. */
export interface WeightScope {
  /**
   * Registers a tensor and returns the name it has in the file: `name`, or `name` with the scope's suffix where
   * another scope already uses the name for other numbers (constants that depend on the sequence length).
   */
  add(name: string, element: OnnxElement, shape: readonly number[], read: () => Tensor): string;
}

export interface WeightPool {
  scope(suffix: string): WeightScope;
  /** What to hand to the safetensors writer. */
  tensors(): readonly TensorToWrite[];
  /** Where each tensor will lie. Call when every graph is built. */
  plan(metadata?: Readonly<Record<string, string>>): SafetensorsLayout;
}

export function weightPool(): WeightPool {
  const pool = new Map<string, TensorToWrite & { readonly scope: string }>();
  const digest = (tensor: TensorToWrite): string =>
    createHash("sha256").update(`${tensor.dtype}[${tensor.shape}]`).update(tensor.bytes()).digest("hex");

  function add(
    scope: string,
    name: string,
    element: OnnxElement,
    shape: readonly number[],
    read: () => Tensor,
  ): string {
    if (!Object.hasOwn(dtypes, element)) bug(`weights of type ${element} cannot be stored`);
    const dtype = dtypes[element as keyof typeof dtypes];
    const tensor = { name, dtype, shape, scope, bytes: () => packNumbers(element, read().data) };
    const known = pool.get(name);
    if (known === undefined) {
      pool.set(name, tensor);
      return name;
    }
    const alike = known.dtype === dtype && known.shape.join() === shape.join();
    if (known.scope === scope)
      return alike ? name : bug(`weight ${name} has two types: [${known.shape}] and [${shape}]`);
    if (alike && digest(known) === digest(tensor)) return name;
    return add(scope, `${name}.${scope}`, element, shape, read);
  }

  return {
    scope: (suffix) => ({ add: (name, element, shape, read) => add(suffix, name, element, shape, read) }),
    tensors: () => [...pool.values()],
    plan: (metadata) => planSafetensors([...pool.values()], metadata),
  };
}
