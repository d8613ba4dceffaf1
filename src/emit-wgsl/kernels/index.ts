// The table of WGSL kernels: one entry per op that needs a kernel of its own, in files that mirror src/ir/ops.
// Ops whose result is a formula of operand elements are in ../elements/ instead.

import type { WgslKernels } from "../kernel.js";
import { products } from "./matmul.js";

export const wgslKernels = { ...products } satisfies WgslKernels;
