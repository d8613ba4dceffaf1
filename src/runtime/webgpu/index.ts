// WGSL bundles on WebGPU: dlmc/runtime's second back end, and what index.js of every bundle consists of.

export { type Diagnostic, DlmcError } from "../../support/diagnostic.js";
export {
  generateTokens,
  generateTokensToEnd,
  type TokenOptions,
  type TokenState,
} from "../generate-tokens.js";
export type { Gpu, GpuDevice } from "./gpu.js";
export type { LoadProgress } from "./load-files.js";
export type { WgslManifest } from "./manifest.js";
export { loadWebgpu, type Model, type ModelGenerateOptions, type WebgpuOptions } from "./model.js";
export type { KernelTime } from "./step-times.js";
