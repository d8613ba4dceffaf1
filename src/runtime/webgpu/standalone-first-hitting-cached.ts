// index.js of a bundle whose masked positions are uncovered one by one, settled blocks kept: as standalone-tokens-cached.ts.

import { blockViews } from "../discrete/block-views.js";
import { hittingDecoders } from "../discrete/first-hitting.js";
import { tokenLoop } from "../discrete/token-loop.js";
import { webgpuBlockRunner } from "./block-session.js";
import { standalone } from "./load-beside.js";

export const { load, loadWebgpu } = standalone({
  ...tokenLoop(hittingDecoders, blockViews),
  runner: webgpuBlockRunner,
});
export { DlmcError } from "../../support/diagnostic.js";
