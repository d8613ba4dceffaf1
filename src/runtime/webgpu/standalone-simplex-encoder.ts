// index.js of a bundle with a simplex that attends to an encoder's output: as standalone-encoder.ts, with its own loop.

import { encoderRows } from "../encoder.js";
import { simplexLoop } from "../simplex/simplex-loop.js";
import { attending } from "./attending.js";
import { standalone } from "./load-beside.js";
import { webgpuSimplexRunner } from "./simplex-runner.js";

export const { load, loadWebgpu } = standalone({
  ...simplexLoop,
  runner: attending(webgpuSimplexRunner),
  encoderRows,
});
export { DlmcError } from "../../support/diagnostic.js";
