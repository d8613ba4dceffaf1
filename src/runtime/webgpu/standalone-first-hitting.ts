// index.js of a bundle whose masked positions are uncovered one by one: as standalone-tokens.ts.

import { hittingDecoders } from "../discrete/first-hitting.js";
import { guidedViews } from "../discrete/guided-views.js";
import { tokenLoop } from "../discrete/token-loop.js";
import { standalone } from "./load-beside.js";
import { webgpuTokenRunner } from "./token-runner.js";

export const { load, loadWebgpu } = standalone({
  ...tokenLoop(hittingDecoders, guidedViews),
  runner: webgpuTokenRunner,
});
export { DlmcError } from "../../support/diagnostic.js";
