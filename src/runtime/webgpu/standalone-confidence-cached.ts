// index.js of a bundle with a discrete state whose settled blocks are kept: as standalone-confidence.ts.

import { blockViews } from "../discrete/block-views.js";
import { confidenceDecoder } from "../discrete/confidence/decoder.js";
import { tokenLoop } from "../discrete/token-loop.js";
import { webgpuBlockRunner } from "./block-session.js";
import { standalone } from "./load-beside.js";

export const { load, loadWebgpu } = standalone({
  ...tokenLoop({ confidence: confidenceDecoder }, blockViews),
  runner: webgpuBlockRunner,
});
export { DlmcError } from "../../support/diagnostic.js";
