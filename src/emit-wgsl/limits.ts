// What a device can do, under WebGPU's own names, so that `adapter.limits` is one of these.

/** Limits a kernel is built for. Units: bytes, invocations, workgroups. */
export interface Limits {
  readonly maxStorageBufferBindingSize: number;
  readonly maxBufferSize: number;
  readonly maxStorageBuffersPerShaderStage: number;
  readonly maxComputeWorkgroupStorageSize: number;
  readonly maxComputeInvocationsPerWorkgroup: number;
  readonly maxComputeWorkgroupSizeX: number;
  readonly maxComputeWorkgroupsPerDimension: number;
  readonly minStorageBufferOffsetAlignment: number;
}

/** What every WebGPU device has (WebGPU, section 3.6.2 "limits", column default). */
export const defaultLimits: Limits = {
  maxStorageBufferBindingSize: 128 * 1024 * 1024,
  maxBufferSize: 256 * 1024 * 1024,
  maxStorageBuffersPerShaderStage: 8,
  maxComputeWorkgroupStorageSize: 16 * 1024,
  maxComputeInvocationsPerWorkgroup: 256,
  maxComputeWorkgroupSizeX: 256,
  maxComputeWorkgroupsPerDimension: 65535,
  minStorageBufferOffsetAlignment: 256,
};

/** Optional features a kernel may use; without them it takes the plain path. */
export interface Features {
  /** `enable f16;`: buffers of 16-bit floats. Arithmetic stays in f32. */
  readonly f16: boolean;
  /** `enable subgroups;`: reductions across a subgroup without workgroup memory. */
  readonly subgroups: boolean;
}

/** The features under WebGPU's names. */
export const featureNames = { f16: "shader-f16", subgroups: "subgroups" } as const;

/** What a bundle has forms of kernels for, best first, besides the plain form that runs everywhere. */
export const featureForms: readonly Features[] = [
  { f16: true, subgroups: true },
  { f16: true, subgroups: false },
  { f16: false, subgroups: true },
];

export const noFeatures: Features = { f16: false, subgroups: false };

/** What a device offers to the kernels that are chosen for it. */
export interface Environment {
  readonly limits: Limits;
  readonly features: Features;
}
