// nearest_row(x, E) = argmin_r |x - e_r|^2 = argmax_r (x . e_r - |e_r|^2 / 2), because |x|^2 is the same for all r:
// one matrix product and a bias that fold-constants evaluates. Ties go to the lowest index on both sides.

import { rewriteModule, rule } from "../ir/rewrite.js";
import type { Pass } from "./pass.js";

const expand = rule("nearest_row", ({ x, table }, _, b) => {
  const squares = b.emit("reduce_sum", { x: b.emit("mul", { a: table, b: table }, {}) }, { axis: 1 });
  const bias = b.emit("scale", { x: squares }, { factor: -0.5 }, "half_squares");
  const scores = b.emit("linear", { x, weight: table, bias }, {});
  return [b.emit("argmax", { x: scores }, { axis: x.type.shape.length - 1 })];
});

export const expandNearestRow: Pass = {
  name: "expand-nearest-row",
  summary: "find the nearest embedding by one matrix product",
  run: (module) => rewriteModule(module, "expand-nearest-row", [expand]),
};
