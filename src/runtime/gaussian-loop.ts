// The loop of continuous states on any runner: with the state on the device where the runner can keep it, else on the host.

import { generate } from "./driver.js";
import { generateResident, stepLoop } from "./resident-loop.js";

/** The loop of continuous states. */
export const gaussianLoop = stepLoop((runner, options) =>
  runner.openState === undefined ? generate(runner, options) : generateResident(runner, options),
);
