// index.js of a bundle with a continuous state: `load` for the bundle that it lies in, and what callers need beside it.

import { generateResident, stepLoop } from "../resident-loop.js";
import { standalone } from "./load-beside.js";
import { webgpuStepRunner } from "./step-runner.js";

export const { load, loadWebgpu } = standalone({ ...stepLoop(generateResident), runner: webgpuStepRunner });
export { DlmcError } from "../../support/diagnostic.js";
