// The table of ONNX lowerings: one entry per IR op, in files that mirror src/ir/ops.
// Two ops are not here: `weight` and `call` need the module around them (lower-graph.ts).
import type { OpName } from "../../ir/ops/index.js";
import type { OnnxLowerings } from "../lowering.js";
import { attentions } from "./attention.js";
import { constants } from "./constant.js";
import { convolutions } from "./conv.js";
import { diffusion } from "./diffusion.js";
import { elementwise } from "./elementwise.js";
import { transforms } from "./fft.js";
import { products } from "./matmul.js";
import { norms } from "./norm.js";
import { reductions } from "./reduce.js";
import { shapes } from "./shape.js";

export const onnxLowerings = {
  ...constants,
  ...elementwise,
  ...reductions,
  ...shapes,
  ...products,
  ...norms,
  ...attentions,
  ...convolutions,
  ...transforms,
  ...diffusion,
} satisfies OnnxLowerings;

/** Every op the ONNX back end takes; the last verification before emission uses this list. */
export const onnxOps: ReadonlySet<string> = new Set<OpName>([
  "weight",
  "call",
  ...(Object.keys(onnxLowerings) as (keyof typeof onnxLowerings)[]),
]);
