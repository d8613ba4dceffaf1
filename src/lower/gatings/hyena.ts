// The Hyena recurrence (Poli et al. 2023; safari's hyena.py) on streams x_0 .. x_(N-1), v:
//   v <- conv_o(v x_(N-1-o)) for o = 0 .. N-2; y = v x_0
// With outer mixing a gate is summed over its head; with post_order_ffn a matrix mixes the heads after a convolution.

import type { HyenaGating } from "../../description/description.js";
import { type Dim, dim, product } from "../../ir/dim.js";
import type { Value } from "../../ir/graph.js";
import type { GraphContext } from "../context.js";
import { lastExtent } from "../layers.js";
import { type GatingLowering, gate } from "./gating.js";

export const hyena: GatingLowering<HyenaGating> = {
  streams: ({ order }) => order + 1,
  lower({ c, scope, mixer: { heads }, streams, convolve }, { order, outer_mixing, post_order_ffn }) {
    const before = (v: Value, by: Value): Value =>
      outer_mixing ? like(c, v, gate(c, split(c, v, heads), headSum(c, by, heads))) : gate(c, v, by);
    let v = streams[order]!;
    for (let o = 0; o < order - 1; o++) {
      v = convolve(o, before(v, streams[order - 1 - o]!), v);
      if (!post_order_ffn) continue;
      const weight = c.parameter(scope, `head_mix.${o}`, [heads, heads], "linear");
      v = like(c, v, c.b.emit("matmul", { a: weight, b: split(c, v, heads) }, {}, "heads_mixed"));
    }
    return gate(c, v, streams[0]!);
  },
};

/** [B, L, D] as [B L, heads, D/heads]. */
function split(c: GraphContext, x: Value, heads: number): Value {
  const [batch, length] = x.type.shape as [Dim, Dim];
  const shape = [product([batch, length]), dim(heads), dim(lastExtent(x) / heads)];
  return c.b.emit("reshape", { x }, { shape });
}

function headSum(c: GraphContext, x: Value, heads: number): Value {
  return c.b.emit("reduce_sum", { x: split(c, x, heads) }, { axis: 2, keepdims: true });
}

/** The elements of y in the shape of x. */
function like(c: GraphContext, x: Value, y: Value): Value {
  return c.b.emit("reshape", { x: y }, { shape: x.type.shape });
}
