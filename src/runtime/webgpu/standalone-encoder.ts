// index.js of a bundle with a continuous state that attends to an encoder's output: as standalone.ts, with the check of
// what is given.

import { encoderRows } from "../encoder.js";
import { generateResident, stepLoop } from "../resident-loop.js";
import { attending } from "./attending.js";
import { standalone } from "./load-beside.js";
import { webgpuStepRunner } from "./step-runner.js";

export const { load, loadWebgpu } = standalone({
  ...stepLoop(generateResident),
  runner: attending(webgpuStepRunner),
  encoderRows,
});
export { DlmcError } from "../../support/diagnostic.js";
