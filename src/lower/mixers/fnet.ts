// A mixer in the frequency domain that cannot be padded: its length is part of what it computes.

import { dim } from "../../ir/dim.js";
import type { Value } from "../../ir/graph.js";
import type { GraphContext, Scope } from "../context.js";
import { lastExtent } from "../layers.js";

/**
 * Re(FFT over positions (FFT over channels x)), unnormalised (Lee-Thorp et al. 2022, FNet). With C and -S the rows of
 * the transforms' matrices: u = x C_d, v = -x S_d, y = C_L u - (-S_L) v.
 */
export function lowerFnet(c: GraphContext, _scope: Scope, x: Value): Value {
  const { b } = c;
  const { sequence } = c.lowering;
  const width = lastExtent(x);
  const forward = (length: number, start: number): Value => {
    const matrix = b.emit("dft_matrix", {}, { length, bins: length, direction: "forward" });
    return b.emit("slice", { x: matrix }, { axis: 0, start: dim(start), length: dim(length) });
  };
  const channels = (start: number): Value =>
    b.emit("matmul", { a: x, b: forward(width, start) }, { transpose_b: true });
  const positions = (start: number, y: Value): Value =>
    b.emit("matmul", { a: forward(sequence, start), b: y }, {});
  return b.emit(
    "sub",
    { a: positions(0, channels(0)), b: positions(sequence, channels(width)) },
    {},
    "fourier_mixed",
  );
}
