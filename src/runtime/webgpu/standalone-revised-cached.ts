// index.js of a bundle whose text is revised once it is drawn, settled blocks kept: as standalone-tokens-cached.ts.

import { blockViews } from "../discrete/block-views.js";
import { revisingDecoders } from "../discrete/revising-decoders.js";
import { tokenLoop } from "../discrete/token-loop.js";
import { webgpuBlockRunner } from "./block-session.js";
import { standalone } from "./load-beside.js";

export const { load, loadWebgpu } = standalone({
  ...tokenLoop(revisingDecoders, blockViews),
  runner: webgpuBlockRunner,
});
export { DlmcError } from "../../support/diagnostic.js";
