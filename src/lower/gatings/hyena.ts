// The Hyena recurrence (Poli et al. 2023) on streams x_0 .. x_(N-1), v:
//   v <- conv_o(v x_(N-1-o)) for o = 0 .. N-2; y = v x_0

import type { HyenaGating } from "../../description/description.js";
import { type GatingLowering, gate } from "./gating.js";

export const hyena: GatingLowering<HyenaGating> = {
  streams: ({ order }) => order + 1,
  lower({ c, streams, convolve }, { order }) {
    let v = streams[order]!;
    for (let o = 0; o < order - 1; o++) v = convolve(o, gate(c, v, streams[order - 1 - o]!), v);
    return gate(c, v, streams[0]!);
  },
};
