// A kernel that is a function of the relative position, sampled for another length than the one it was made for
// (Romero et al. 2022, "CKConv: Continuous Kernel Convolution For Sequential Data", appendix D.2). The ratio of resolutions
// is a whole number or one over it: r = round(built / length) or 1 / round(length / built), ties to even.

import { dim } from "../../ir/dim.js";
import type { Value } from "../../ir/graph.js";
import type { GraphContext } from "../context.js";

/** Built steps per step of the sequence. */
function ratio(built: number, length: number): number {
  return built > length ? toEven(built / length) : 1 / toEven(length / built);
}

function toEven(x: number): number {
  const below = Math.floor(x);
  if (x - below !== 0.5) return Math.round(x);
  return below % 2 === 0 ? below : below + 1;
}

/** The last of `length` positions from -1 on; 1 for the built length. Whole built steps that do not fit are left out. */
export function lastPosition(built: number, length: number): number {
  const r = ratio(built, length);
  const step = 2 / (built - 1);
  if (r > 1) return 1 - ((built - 1) % r) * step;
  return 1 + ((length - 1) % Math.round(1 / r)) * step * r;
}

/**
 * Taps [T, groups] of a coarser kernel weigh r times as much. Those of a finer one are smoothed, but for 1/r at both
 * ends, by an unnormalised Gaussian of deviation 1/2 and reach 1/r, and weigh r.
 */
export function resampled(c: GraphContext, built: number, k: Value): Value {
  const { b } = c;
  const length = k.type.shape[0]!.value!;
  const r = ratio(built, length);
  if (r === 1) return k;
  const smooth = r < 1 ? smoothed(c, k, Math.round(1 / r)) : k;
  return b.emit("scale", { x: smooth }, { factor: r }, "resampled");
}

function smoothed(c: GraphContext, k: Value, reach: number): Value {
  const { b } = c;
  const length = k.type.shape[0]!.value!;
  const inner = length - 2 * reach;
  if (inner <= 0) return k;
  const rows = (start: number, count: number): Value =>
    b.emit("slice", { x: k }, { axis: 0, start: dim(start), length: dim(count) });
  const terms = Array.from({ length: 2 * reach + 1 }, (_, j) => {
    const factor = Math.exp(-2 * (j - reach) ** 2) / (0.5 * Math.sqrt(2 * Math.PI));
    return b.emit("scale", { x: rows(j, inner) }, { factor });
  });
  const middle = terms.reduce((sum, term) => b.emit("add", { a: sum, b: term }, {}));
  return b.emit("concat", { xs: [rows(0, reach), middle, rows(length - reach, reach)] }, { axis: 0 });
}
