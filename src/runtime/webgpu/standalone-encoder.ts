// index.js of a bundle that attends to an encoder's output, whatever its state: as standalone.ts, with every loop and the
// check of what is given.

import { encoderRows } from "../encoder.js";
import { anyLoop } from "../generate-tokens.js";
import { attending } from "./attending.js";
import { standalone } from "./load-beside.js";
import { webgpuRunner } from "./runner.js";

export const { load, loadWebgpu } = standalone({ ...anyLoop, runner: attending(webgpuRunner), encoderRows });
export { DlmcError } from "../../support/diagnostic.js";
