// index.js of a bundle with a discrete state: as standalone.ts, with the decoder that places the surest tokens.

import { confidenceDecoder } from "../discrete/confidence/decoder.js";
import { guidedViews } from "../discrete/guided-views.js";
import { tokenLoop } from "../discrete/token-loop.js";
import { standalone } from "./load-beside.js";
import { webgpuTokenRunner } from "./token-runner.js";

export const { load, loadWebgpu } = standalone({
  ...tokenLoop({ confidence: confidenceDecoder }, guidedViews),
  runner: webgpuTokenRunner,
});
export { DlmcError } from "../../support/diagnostic.js";
