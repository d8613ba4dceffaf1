// The tensors that all files of one build share: collected while graphs are built, laid out once in one
// weights.safetensors, then referenced by offset. Numbers are read when they are written, one tensor at a time.

import type { Tensor } from "../ir/tensor.js";
import { bug } from "../support/diagnostic.js";
import { planSafetensors, type SafetensorsLayout, type TensorToWrite } from "../weights/writer.js";
import { packNumbers } from "./bytes.js";
import type { OnnxElement } from "./proto/messages.js";

/** Name of the one weight file, as the ONNX files spell it. */
export const weightFile = "weights.safetensors";

const dtypes = { float: "F32", float16: "F16", int64: "I64", bool: "BOOL" } as const;

export interface WeightPool {
  /** Registers a tensor; the same name must always stand for the same numbers. */
  add(name: string, element: OnnxElement, shape: readonly number[], read: () => Tensor): void;
  /** What to hand to the safetensors writer. */
  tensors(): readonly TensorToWrite[];
  /** Where each tensor will lie. Call when every graph is built. */
  plan(metadata?: Readonly<Record<string, string>>): SafetensorsLayout;
}

export function weightPool(): WeightPool {
  const pool = new Map<string, TensorToWrite>();
  return {
    add(name, element, shape, read) {
      if (!Object.hasOwn(dtypes, element)) bug(`weights of type ${element} cannot be stored`);
      const dtype = dtypes[element as keyof typeof dtypes];
      const known = pool.get(name);
      if (known !== undefined) {
        if (known.dtype !== dtype || known.shape.join() !== shape.join())
          bug(`weight ${name} is ${dtype}[${shape}] here and ${known.dtype}[${known.shape}] elsewhere`);
        return;
      }
      pool.set(name, { name, dtype, shape, bytes: () => packNumbers(element, read().data) });
    },
    tensors: () => [...pool.values()],
    plan: (metadata) => planSafetensors([...pool.values()], metadata),
  };
}
