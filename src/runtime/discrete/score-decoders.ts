// Decoders that draw on a grid of times from weights made of scores, as SEDD does; they may revise the text too.

import { scoreSamplers } from "../../diffusion/discrete/samplers/index.js";
import { onGrid } from "./on-grid.js";
import { selfCorrect } from "./self-correction.js";

export const scoreDecoders = onGrid(scoreSamplers, selfCorrect);
