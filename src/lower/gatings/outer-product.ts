// Heads of outer products (Fu et al. 2023, "Hungry Hungry Hippos: Towards Language Modeling with State Space Models", H3):
//   k <- conv(k) + D_k k;  S[a, b] = k_a v_b per head;  S <- conv(S) + D S;  y_b = sum_a q_a S[a, b]
// Upstream's output channels are (channel, head); here they are (head, channel) like every stream, so a checkpoint's
// out_proj has its columns permuted.

import type { OuterProductGating } from "../../description/description.js";
import { type Dim, dim } from "../../ir/dim.js";
import type { Value } from "../../ir/graph.js";
import { child } from "../context.js";
import { lowerFilter } from "../filters/index.js";
import { lastExtent } from "../layers.js";
import { type GatingLowering, gate } from "./gating.js";

export const outerProduct: GatingLowering<OuterProductGating> = {
  streams: () => 3,
  lower({ c, scope, streams, convolve }, { head_dim: size, key_filter, key_skip }) {
    const { b } = c;
    const [q, k, v] = streams as [Value, Value, Value];
    const width = lastExtent(v);
    const at = child(scope, "", "/gating");
    const { k: taps, lag0, circular } = lowerFilter(c, child(at, "key_filter", "/key_filter"), key_filter);
    const skip = key_skip ? c.parameter(at, "key_skip", [width], "skip") : undefined;
    const key = b.emit("long_conv", { x: k, k: taps, skip }, { lag0, circular }, "key");
    if (size === 1) return gate(c, convolve(0, gate(c, key, v)), q);
    const [batch, length] = v.type.shape as [Dim, Dim];
    const shaped = (x: Value, ...head: readonly number[]): Value =>
      b.emit("reshape", { x }, { shape: [batch, length, ...head.map(dim)] });
    const heads = width / size;
    const outer = gate(c, shaped(key, heads, size, 1), shaped(v, heads, 1, size));
    const state = shaped(convolve(0, shaped(outer, width * size)), heads, size, size);
    const read = gate(c, state, shaped(q, heads, size, 1));
    return shaped(b.emit("reduce_sum", { x: read }, { axis: 3, keepdims: false }), width);
  },
};
