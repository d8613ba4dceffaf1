// Decoders that draw on a grid of times: for masked and uniform diffusion as it is trained.

import { posteriorSamplers } from "../../diffusion/discrete/samplers/index.js";
import { onGrid } from "./on-grid.js";

export const drawingDecoders = onGrid(posteriorSamplers);
