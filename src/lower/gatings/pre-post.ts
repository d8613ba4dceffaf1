// A gate before and one after (Fu et al. 2023, M2-BERT; StripedHyena 2): y = conv(v x1) x2.

import type { PrePostGating } from "../../description/description.js";
import { type GatingLowering, gate } from "./gating.js";

export const prePost: GatingLowering<PrePostGating> = {
  streams: () => 3,
  lower({ c, streams, convolve }, { order }) {
    const [before, after] = order === "x1_x2_v" ? [0, 1] : [1, 0];
    const v = streams[2]!;
    return gate(c, convolve(0, gate(c, v, streams[before]!), v), streams[after]!);
  },
};
