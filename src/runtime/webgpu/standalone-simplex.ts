// index.js of a bundle with a simplex state: as standalone.ts, with the loop that projects and renoises logits.

import { simplexLoop } from "../simplex/simplex-loop.js";
import { standalone } from "./load-beside.js";
import { webgpuSimplexRunner } from "./simplex-runner.js";

export const { load, loadWebgpu } = standalone({ ...simplexLoop, runner: webgpuSimplexRunner });
export { DlmcError } from "../../support/diagnostic.js";
