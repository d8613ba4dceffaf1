// The systems of the golden data that dlmc covers. To add one: a file here and a line below.

import { hyena } from "./hyena.js";
import { m2Layer, m2Mixer } from "./m2.js";
import type { GoldenSystem } from "./system.js";

export const systems: readonly GoldenSystem[] = [hyena, m2Mixer, m2Layer];
