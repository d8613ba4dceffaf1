// index.js of a bundle that draws from scores: as standalone-tokens.ts.

import { guidedViews } from "../discrete/guided-views.js";
import { scoreDecoders } from "../discrete/score-decoders.js";
import { tokenLoop } from "../discrete/token-loop.js";
import { standalone } from "./load-beside.js";
import { webgpuTokenRunner } from "./token-runner.js";

export const { load, loadWebgpu } = standalone({
  ...tokenLoop(scoreDecoders, guidedViews),
  runner: webgpuTokenRunner,
});
export { DlmcError } from "../../support/diagnostic.js";
