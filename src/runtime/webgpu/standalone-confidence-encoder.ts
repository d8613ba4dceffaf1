// index.js of a bundle decoded by confidence that attends to an encoder's output: as standalone-encoder.ts.

import { confidenceDecoder } from "../discrete/confidence/decoder.js";
import { guidedViews } from "../discrete/guided-views.js";
import { tokenLoop } from "../discrete/token-loop.js";
import { encoderRows } from "../encoder.js";
import { attending } from "./attending.js";
import { standalone } from "./load-beside.js";
import { webgpuTokenRunner } from "./token-runner.js";

export const { load, loadWebgpu } = standalone({
  ...tokenLoop({ confidence: confidenceDecoder }, guidedViews),
  runner: attending(webgpuTokenRunner),
  encoderRows,
});
export { DlmcError } from "../../support/diagnostic.js";
