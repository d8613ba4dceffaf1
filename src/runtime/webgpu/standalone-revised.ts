// index.js of a bundle whose text is revised once it is drawn: as standalone-tokens.ts.

import { guidedViews } from "../discrete/guided-views.js";
import { revisingDecoders } from "../discrete/revising-decoders.js";
import { tokenLoop } from "../discrete/token-loop.js";
import { standalone } from "./load-beside.js";
import { webgpuTokenRunner } from "./token-runner.js";

export const { load, loadWebgpu } = standalone({
  ...tokenLoop(revisingDecoders, guidedViews),
  runner: webgpuTokenRunner,
});
export { DlmcError } from "../../support/diagnostic.js";
