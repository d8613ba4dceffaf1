// Decoders that draw on a grid of times and then revise the text, as GIDD's self-correction does.

import { posteriorSamplers } from "../../diffusion/discrete/samplers/index.js";
import { onGrid } from "./on-grid.js";
import { selfCorrect } from "./self-correction.js";

export const revisingDecoders = onGrid(posteriorSamplers, selfCorrect);
