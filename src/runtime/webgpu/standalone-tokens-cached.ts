// index.js of a bundle with a discrete state whose settled blocks are kept: as standalone-tokens.ts.

import { blockViews } from "../discrete/block-views.js";
import { drawingDecoders } from "../discrete/drawing-decoders.js";
import { tokenLoop } from "../discrete/token-loop.js";
import { webgpuBlockRunner } from "./block-session.js";
import { standalone } from "./load-beside.js";

export const { load, loadWebgpu } = standalone({
  ...tokenLoop(drawingDecoders, blockViews),
  runner: webgpuBlockRunner,
});
export { DlmcError } from "../../support/diagnostic.js";
