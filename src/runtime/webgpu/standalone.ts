// What index.js of a bundle exports: `load` for the bundle that it lies in, and what callers need beside it.

import type { GpuDevice } from "./gpu.js";
import { loadWebgpu, type Model, type WebgpuOptions } from "./model.js";

/** Loads the bundle beside index.js, on a device of the caller's or a new one. Throws what `loadWebgpu` throws. */
export function load(device?: GpuDevice | null, options: WebgpuOptions = {}): Promise<Model> {
  const here = new URL(".", import.meta.url).href;
  return loadWebgpu(here, device === undefined || device === null ? options : { ...options, device });
}

export { DlmcError } from "../../support/diagnostic.js";
export { loadWebgpu } from "./model.js";
