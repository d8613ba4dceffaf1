// Every second example on WebGPU, from the second on.
import { everySecondAgrees } from "./on-wgsl.js";

everySecondAgrees(1);
