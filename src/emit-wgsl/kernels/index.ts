// The table of WGSL kernels: one entry per op that needs a kernel of its own, in files that mirror src/ir/ops.
// Ops whose result is a formula of operand elements are in ../elements/ instead.

import type { WgslKernels } from "../kernel.js";
import { fftConv } from "./fft-conv.js";
import { products } from "./matmul.js";
import { norms } from "./norm.js";
import { reductions } from "./reduce.js";

export const wgslKernels = {
  fft_conv: fftConv,
  ...products,
  ...norms,
  ...reductions,
} satisfies WgslKernels;
