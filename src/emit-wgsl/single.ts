// An implementation that is one dispatch: what most kernels are.

import type { Implementation, Kernel } from "./dispatch.js";
import type { KernelWriter } from "./writer.js";

/** An implementation of one kernel. */
export function single(writer: KernelWriter, kernel: Kernel): Implementation {
  return { kernels: [kernel], scratch: [], tables: writer.tables };
}
