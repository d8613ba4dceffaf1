// index.js of a bundle that draws from scores, settled blocks kept: as standalone-tokens-cached.ts.

import { blockViews } from "../discrete/block-views.js";
import { scoreDecoders } from "../discrete/score-decoders.js";
import { tokenLoop } from "../discrete/token-loop.js";
import { webgpuBlockRunner } from "./block-session.js";
import { standalone } from "./load-beside.js";

export const { load, loadWebgpu } = standalone({
  ...tokenLoop(scoreDecoders, blockViews),
  runner: webgpuBlockRunner,
});
export { DlmcError } from "../../support/diagnostic.js";
