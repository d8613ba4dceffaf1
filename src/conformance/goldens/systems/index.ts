// The systems of the golden data that dlmc covers. To add one: a file here and a line below.

import { bd3 } from "./bd3.js";
import { llada2Decoding, sdarDecoding } from "./block-decode.js";
import { diffusionGemma } from "./diffusion-gemma.js";
import { diffusionLmNetwork } from "./diffusion-lm-net.js";
import { diffusionLmSampler } from "./diffusion-lm-sampler.js";
import { diffusionLmSchedule } from "./diffusion-lm-schedule.js";
import { dreamDecoding } from "./dream.js";
import { duo } from "./duo.js";
import { elf } from "./elf.js";
import { longConv, s4d, sgConv } from "./filters.js";
import { h3 } from "./h3.js";
import { hyena } from "./hyena.js";
import { llada2Network, sdarNetwork } from "./imported-net.js";
import { longConvKernel, stripedHyena } from "./kernels.js";
import { langflow } from "./langflow.js";
import { fastDllm, lladaDecoding } from "./llada-decode.js";
import { dreamNetwork, lladaNetwork } from "./llama-net.js";
import { m2Layer, m2Mixer } from "./m2.js";
import { mdlm } from "./mdlm.js";
import { otherSchedules } from "./other-schedules.js";
import { s4 } from "./s4.js";
import { sedd } from "./sedd.js";
import { afno, gfnet } from "./spectral.js";
import type { GoldenSystem } from "./system.js";

export const systems: readonly GoldenSystem[] = [
  langflow,
  diffusionLmNetwork,
  diffusionLmSampler,
  diffusionLmSchedule,
  hyena,
  h3,
  m2Mixer,
  m2Layer,
  mdlm,
  duo,
  sedd,
  bd3,
  sdarDecoding,
  llada2Decoding,
  lladaDecoding,
  fastDllm,
  dreamDecoding,
  lladaNetwork,
  dreamNetwork,
  diffusionGemma,
  llada2Network,
  sdarNetwork,
  longConv,
  longConvKernel,
  s4d,
  s4,
  sgConv,
  stripedHyena,
  gfnet,
  afno,
  elf,
  otherSchedules,
];
