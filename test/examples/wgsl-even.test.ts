// Every second example on WebGPU, from the first on.
import { everySecondAgrees } from "./on-wgsl.js";

everySecondAgrees(0);
