// WGSL bundles on WebGPU: dlmc/runtime's second back end. (A bundle's own index.js has one loop only: standalone.ts.)

import { planOf } from "../../diffusion/plan-of.js";
import { encoderRows } from "../encoder.js";
import { anyLoop } from "../generate-tokens.js";
import { attending } from "./attending.js";
import { loadModel, type Model, type WebgpuOptions } from "./model.js";
import { webgpuRunner } from "./runner.js";

export { type Diagnostic, DlmcError } from "../../support/diagnostic.js";
export type { Gpu, GpuDevice } from "./gpu.js";
export type { LoadProgress } from "./load-files.js";
export type { WgslManifest } from "./manifest.js";
export type { Model, ModelGenerateOptions, WebgpuOptions } from "./model.js";
export type { KernelTime } from "./step-times.js";

/**
 * Loads the bundle in a directory (a path, or a URL), whatever its state.
 * Throws DlmcError: `bundle/unreadable`, `bundle/manifest`, `bundle/corrupt`, `bundle/truncated`, `bundle/length`,
 * `webgpu/missing`, `webgpu/limit`, `webgpu/feature`, `webgpu/kernel`, `webgpu/out-of-memory`, `webgpu/device-lost`;
 * and the signal's reason. Nothing stays on the device when it throws.
 */
export function loadWebgpu(location: string, options: WebgpuOptions = {}): Promise<Model> {
  return loadModel(
    { ...anyLoop, plan: planOf, runner: attending(webgpuRunner), encoderRows },
    location,
    options,
  );
}
