// index.js of a bundle whose masked positions are uncovered one by one and that attends to an encoder's output: as
// standalone-encoder.ts.

import { hittingDecoders } from "../discrete/first-hitting.js";
import { guidedViews } from "../discrete/guided-views.js";
import { tokenLoop } from "../discrete/token-loop.js";
import { encoderRows } from "../encoder.js";
import { attending } from "./attending.js";
import { standalone } from "./load-beside.js";
import { webgpuTokenRunner } from "./token-runner.js";

export const { load, loadWebgpu } = standalone({
  ...tokenLoop(hittingDecoders, guidedViews),
  runner: attending(webgpuTokenRunner),
  encoderRows,
});
export { DlmcError } from "../../support/diagnostic.js";
