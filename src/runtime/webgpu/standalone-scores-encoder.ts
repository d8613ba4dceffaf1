// index.js of a bundle that draws from scores and attends to an encoder's output: as standalone-encoder.ts.

import { guidedViews } from "../discrete/guided-views.js";
import { scoreDecoders } from "../discrete/score-decoders.js";
import { tokenLoop } from "../discrete/token-loop.js";
import { encoderRows } from "../encoder.js";
import { attending } from "./attending.js";
import { standalone } from "./load-beside.js";
import { webgpuTokenRunner } from "./token-runner.js";

export const { load, loadWebgpu } = standalone({
  ...tokenLoop(scoreDecoders, guidedViews),
  runner: attending(webgpuTokenRunner),
  encoderRows,
});
export { DlmcError } from "../../support/diagnostic.js";
