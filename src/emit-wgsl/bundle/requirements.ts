// What a device must have for the dispatches of a bundle, and the diagnostics where the limits it was built for are
// too small: a model that cannot fit is an error here, never a lost device.

import type { Report } from "../../support/diagnostic.js";
import { featureNames, type Limits } from "../limits.js";
import type { Program } from "./program.js";

export interface Requirements {
  readonly limits: Readonly<Record<string, number>>;
  readonly features: readonly string[];
}

/** The largest of everything that the programs and buffers ask of a device; in bytes, invocations, workgroups. */
export function requirements(
  programs: readonly Program[],
  buffers: readonly number[],
  bindings: readonly number[],
): Requirements {
  const kernels = programs.flatMap(({ dispatches }) => dispatches.map(({ kernel }) => kernel));
  const most = (numbers: readonly number[]): number => numbers.reduce((a, b) => Math.max(a, b), 1);
  const features = new Set(kernels.flatMap((kernel) => kernel.features.map((name) => featureNames[name])));
  return {
    limits: {
      maxStorageBufferBindingSize: most(bindings),
      maxBufferSize: most(buffers),
      maxStorageBuffersPerShaderStage: most(kernels.map((k) => k.bindings.length)),
      maxComputeWorkgroupStorageSize: most(kernels.map((k) => k.workgroupBytes)),
      maxComputeInvocationsPerWorkgroup: most(kernels.map(({ workgroupSize: [x, y, z] }) => x * y * z)),
      maxComputeWorkgroupSizeX: most(kernels.map((k) => k.workgroupSize[0])),
      maxComputeWorkgroupsPerDimension: most(kernels.flatMap((k) => k.grid)),
    },
    features: [...features].sort(),
  };
}

const help: Readonly<Record<string, string>> = {
  maxStorageBufferBindingSize: "shorten --length, lower --batch, or build for a smaller vocabulary",
  maxBufferSize: "shorten --length or lower --batch",
};

/** Reports `wgsl/limit` for each limit that is exceeded. */
export function reportLimits(needed: Requirements, limits: Limits, report: Report): void {
  for (const [name, wanted] of Object.entries(needed.limits)) {
    const given = limits[name as keyof Limits];
    if (wanted <= given) continue;
    report.error("wgsl/limit", `the model needs ${name} = ${wanted}, devices are asked for ${given}`, {
      help: help[name] ?? "this is a limit of the kernels: please report the description",
    });
  }
}
