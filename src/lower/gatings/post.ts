// A gate after the convolution alone (Qin et al. 2023, TNN's gated Toeplitz unit): streams u, v, y = u conv(v).

import type { PostGating } from "../../description/description.js";
import type { Value } from "../../ir/graph.js";
import { type GatingLowering, gate } from "./gating.js";

export const post: GatingLowering<PostGating> = {
  streams: () => 2,
  lower({ c, streams, convolve }) {
    const [u, v] = streams as [Value, Value];
    return gate(c, convolve(0, v), u);
  },
};
