// index.js of a bundle whose text is revised once it is drawn and that attends to an encoder's output: as
// standalone-encoder.ts.

import { guidedViews } from "../discrete/guided-views.js";
import { revisingDecoders } from "../discrete/revising-decoders.js";
import { tokenLoop } from "../discrete/token-loop.js";
import { encoderRows } from "../encoder.js";
import { attending } from "./attending.js";
import { standalone } from "./load-beside.js";
import { webgpuTokenRunner } from "./token-runner.js";

export const { load, loadWebgpu } = standalone({
  ...tokenLoop(revisingDecoders, guidedViews),
  runner: attending(webgpuTokenRunner),
  encoderRows,
});
export { DlmcError } from "../../support/diagnostic.js";
