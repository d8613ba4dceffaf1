// WebGPU in Node: Dawn, from the optional package `webgpu`.

import type { Gpu } from "../runtime/webgpu/gpu.js";
import { DlmcError, exitCodes } from "../support/diagnostic.js";

interface WebgpuPackage {
  create(flags: readonly string[]): Gpu;
  readonly globals: object;
}

/** Dawn zeroes workgroup memory itself then: SwiftShader compiles the Vulkan extension for it very slowly. */
const flags = ["disable-dawn-features=use_vulkan_zero_initialize_workgroup_memory_extension"];

/** Dawn ends, and takes its devices along, when nobody holds this object any more. */
let dawn: Gpu | undefined;

/**
 * The entry point of WebGPU: of the engine where it has one (Deno), else of the package. Throws `environment/webgpu` (exit code 5) when the package is missing or does not start.
 */
export async function openGpu(name = "webgpu"): Promise<Gpu> {
  const own = (globalThis as { navigator?: { gpu?: Gpu } }).navigator?.gpu;
  if (own !== undefined) return own;
  try {
    dawn ??= ((await import(name)) as WebgpuPackage).create(flags);
    return dawn;
  } catch (error) {
    const reason = error instanceof Error ? error : new Error(String(error));
    const absent = "code" in reason && reason.code === "ERR_MODULE_NOT_FOUND";
    const problem = {
      severity: "error",
      code: "environment/webgpu",
      message: absent ? "WebGPU for Node is not installed" : `WebGPU does not start: ${reason.message}`,
      help: "npm install webgpu@0.6.2, and a Vulkan driver (scripts/install-webgpu-drivers.sh brings software ones)",
    } as const;
    throw new DlmcError([problem], exitCodes.environment);
  }
}
