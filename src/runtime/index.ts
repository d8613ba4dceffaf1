// dlmc/runtime: run compiled models. Browser-safe; ONNX Runtime is imported only when a bundle is loaded.
//
//   const { manifest, runner } = await loadOnnx("out/");
//   const plan = planFromManifest(manifest);
//   for await (const state of generate(runner, { plan, noise: 7 })) show(state.tokens);
//
//   const model = await loadWebgpu("out-wgsl/");
//   for await (const state of model.generate({ seed: 7 })) show(state.tokens);

export { seededNoise } from "../diffusion/normal.js";
export {
  type PlanOptions,
  type PlanPoint,
  planSampler,
  type SamplerParts,
  type SamplerPlan,
  type SamplerRow,
} from "../diffusion/plan.js";
export { planOf } from "../diffusion/plan-of.js";
export {
  isSimplexPlan,
  isTokenPlan,
  type Plan,
  samplerPlanOf,
  simplexPlanOf,
  tokenPlanOf,
} from "../diffusion/plans.js";
export { type Diagnostic, DlmcError, exitCodes } from "../support/diagnostic.js";
export {
  isSimplexRunner,
  isTokenRunner,
  type Runner,
  simplexRunnerOf,
  stepRunnerOf,
  tokenRunnerOf,
} from "./any-runner.js";
export { type ClassInput, withClasses } from "./classes.js";
export { decodeTokens } from "./discrete/decode-tokens.js";
export type { DecodeOptions, DecodeState, TokenDraws } from "./discrete/driver.js";
export {
  type GenerateOptions,
  type GenerationState,
  generate,
  generateToEnd,
} from "./driver.js";
export { type EncoderInput, encoderRows } from "./encoder.js";
export type { FixedTokens } from "./fixed-positions.js";
export {
  type GenerateTokensOptions,
  generateTokens,
  generateTokensToEnd,
  planFromManifest,
} from "./generate-tokens.js";
export type { RuntimeManifest } from "./manifest.js";
export { argmaxRows, margins } from "./margins.js";
export { loadOnnx, type OnnxBundle, type OnnxOptions } from "./onnx.js";
export type { OrtModule } from "./ort.js";
export type { SimplexDraws } from "./simplex/draws.js";
export { generateSimplex, type SimplexOptions } from "./simplex/simplex-loop.js";
export type { SimplexInputs, SimplexRunner } from "./simplex/simplex-runner.js";
export type {
  EncoderPort,
  EncoderRows,
  FloatArray,
  NoiseSource,
  ResidentStart,
  ResidentState,
  Rounded,
  StepInputs,
  StepOutputs,
  StepRunner,
} from "./step-runner.js";
export type { PreviousLogits, TokenInputs, TokenRunner } from "./token-runner.js";
export type { Loop, TokenOptions, TokenState } from "./token-state.js";
export { createTokenizer, type Tokenizer, type TokenizerOptions } from "./tokenizer.js";
export {
  type Gpu,
  type GpuDevice,
  type KernelTime,
  type LoadProgress,
  loadWebgpu,
  type Model,
  type ModelGenerateOptions,
  type WebgpuOptions,
  type WgslManifest,
} from "./webgpu/index.js";
