// No gate: y = conv(x), each channel with as many filters as the mixer says.

import type { GatingLowering } from "./gating.js";

export const ungated: GatingLowering<{ readonly kind: "none" }> = {
  streams: () => 1,
  lower({ c, mixer, streams: [x], convolve }) {
    const repeated = Array.from({ length: mixer.channels }, () => x!);
    return convolve(0, repeated.length === 1 ? x! : c.b.emit("concat", { xs: repeated }, { axis: 2 }));
  },
};
