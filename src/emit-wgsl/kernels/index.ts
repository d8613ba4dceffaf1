// The table of WGSL kernels: one entry per op that needs a kernel of its own, in files that mirror src/ir/ops.
// Ops whose result is a formula of operand elements are in ../elements/ instead.

import type { WgslKernels } from "../kernel.js";
import { attention } from "./attention.js";
import { clamps } from "./diffusion.js";
import { fftConv } from "./fft-conv.js";
import { products } from "./matmul.js";
import { norms } from "./norm.js";
import { reductions } from "./reduce.js";
import { shortConv } from "./short-conv.js";
import { topMask } from "./top-mask.js";

export const wgslKernels = {
  attention,
  fft_conv: fftConv,
  long_conv: shortConv,
  top_mask: topMask,
  ...products,
  ...norms,
  ...clamps,
  ...reductions,
} satisfies WgslKernels;
