// f(constants) = its value. Never makes the file larger: a result is stored only when it is small, or no larger than the
// weights that need no storage any more. Whether it depends on the batch is never asked: extents that are not bound
// make a value not constant.

import { type FoldPolicy, foldModule } from "./constants/fold.js";
import type { Pass } from "./pass.js";

/** Numbers that are always worth storing. */
const small = 1024;

const neverLarger: FoldPolicy = (node, freed) => {
  // cos and sin of positions: at run time their float32 argument t f is off by t f 2^-24, and so is the result.
  // The matrices of a transform have no other way to a device than as numbers.
  const precise = !node.hasWeights && ["cos", "sin", "dft_matrix"].includes(node.op.name);
  return precise || node.size <= small || node.size <= freed;
};

export const foldConstants: Pass = {
  name: "fold-constants",
  summary: "evaluate what depends on no input, where that stores no more numbers",
  run: (module) => foldModule(module, "fold-constants", neverLarger),
};
