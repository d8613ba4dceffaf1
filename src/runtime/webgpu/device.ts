// A device that can run a bundle: asked for with what the manifest requires, or checked when it is the caller's.

import { type Diagnostic, DlmcError, exitCodes } from "../../support/diagnostic.js";
import type { Gpu, GpuAdapter, GpuDevice } from "./gpu.js";
import type { WgslManifest } from "./manifest.js";

/**
 * A new device of the adapter that fits best, with timestamps and what kernels have better forms for, where it has them.
 * Throws `webgpu/missing` (exit code 5), `webgpu/limit` and `webgpu/feature` (exit code 3).
 */
export async function requestDevice(manifest: WgslManifest, gpu?: Gpu): Promise<GpuDevice> {
  const entry = gpu ?? (globalThis as { navigator?: { gpu?: Gpu } }).navigator?.gpu;
  if (entry === undefined)
    throw missing("WebGPU is not available here", "use a browser with WebGPU over https, or pass a device");
  const adapter = await entry.requestAdapter({ powerPreference: "high-performance" });
  if (adapter === null)
    throw missing("WebGPU is there, but no graphics adapter", "look at chrome://gpu, or pass a device");
  checkDevice(manifest, adapter, "the adapter");
  const better = manifest.kernels.flatMap(({ forms = [] }) => forms.flatMap(({ features }) => features));
  const optional = ["timestamp-query", ...new Set(better)].filter((name) => adapter.features.has(name));
  const device = await adapter.requestDevice({
    requiredFeatures: [...manifest.requires.features, ...optional],
    requiredLimits: aboveDefault(manifest, adapter),
  });
  entries.set(device, entry);
  return device;
}

/** Holds the entry point as long as a device of it lives: Dawn in Node ends with the former. */
const entries = new WeakMap<GpuDevice, Gpu>();

/** Limits of the manifest, where a device has less unless it is asked for more. */
function aboveDefault({ requires }: WgslManifest, adapter: GpuAdapter): Record<string, number> {
  const limits = adapter.limits as Readonly<Record<string, number>>;
  return Object.fromEntries(
    Object.entries(requires.limits).map(([name, wanted]) => [name, Math.min(limits[name] ?? wanted, wanted)]),
  );
}

/** Throws one diagnostic for every limit and feature that is missing: `webgpu/limit`, `webgpu/feature`. */
export function checkDevice(
  { requires }: WgslManifest,
  device: Pick<GpuDevice, "limits" | "features">,
  what = "the device",
): void {
  const limits = device.limits as Readonly<Record<string, number | undefined>>;
  const problems: Diagnostic[] = [];
  for (const [name, wanted] of Object.entries(requires.limits)) {
    const given = limits[name] ?? 0;
    if (given < wanted)
      problems.push({
        severity: "error",
        code: "webgpu/limit",
        message: `the model needs ${name} of ${wanted}, ${what} has ${given}`,
        help: `ask for it: requestDevice({ requiredLimits: { ${name}: ${wanted} } }), or compile for a shorter length`,
      });
  }
  for (const name of requires.features)
    if (!device.features.has(name))
      problems.push({
        severity: "error",
        code: "webgpu/feature",
        message: `the model needs the feature ${name}, which ${what} lacks`,
        help: `ask for it: requestDevice({ requiredFeatures: ["${name}"] }), or compile without it`,
      });
  if (problems.length > 0) throw new DlmcError(problems, exitCodes.unsupported);
}

function missing(message: string, help: string): DlmcError {
  return new DlmcError([{ severity: "error", code: "webgpu/missing", message, help }], exitCodes.environment);
}
