// index.js of a bundle with a discrete state that attends to an encoder's output: as standalone-encoder.ts, with the
// decoders that draw tokens.

import { drawingDecoders } from "../discrete/drawing-decoders.js";
import { guidedViews } from "../discrete/guided-views.js";
import { tokenLoop } from "../discrete/token-loop.js";
import { encoderRows } from "../encoder.js";
import { attending } from "./attending.js";
import { standalone } from "./load-beside.js";
import { webgpuTokenRunner } from "./token-runner.js";

export const { load, loadWebgpu } = standalone({
  ...tokenLoop(drawingDecoders, guidedViews),
  runner: attending(webgpuTokenRunner),
  encoderRows,
});
export { DlmcError } from "../../support/diagnostic.js";
