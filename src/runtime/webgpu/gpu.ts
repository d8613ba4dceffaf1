// WebGPU as the runtime uses it: the members it calls, written down here so that a page needs no type package. Any
// GPUDevice (of a browser, Dawn's Node binding, Deno) is one of these: methods take objects that it understands.

/** A buffer on the device. */
export interface GpuBuffer {
  readonly size: number;
  mapAsync(mode: number): Promise<unknown>;
  getMappedRange(): ArrayBuffer;
  unmap(): void;
  destroy(): void;
}

/** A pipeline, layout or bind group: made here, handed back, never looked into. */
export interface GpuHandle {
  label: string;
}

export interface GpuQuerySet extends GpuHandle {
  destroy(): void;
}

export interface ComputePass {
  setPipeline(pipeline: GpuHandle): void;
  setBindGroup(index: number, group: GpuHandle): void;
  dispatchWorkgroups(x: number, y: number, z: number): void;
  end(): void;
}

export interface CommandEncoder {
  beginComputePass(descriptor?: object): ComputePass;
  copyBufferToBuffer(
    from: GpuBuffer,
    fromOffset: number,
    to: GpuBuffer,
    toOffset: number,
    size: number,
  ): void;
  resolveQuerySet(set: GpuQuerySet, first: number, count: number, to: GpuBuffer, offset: number): void;
  finish(): object;
}

export interface GpuDevice {
  readonly limits: object;
  readonly features: { has(name: string): boolean };
  readonly adapterInfo?: { readonly subgroupMinSize?: number };
  readonly lost: Promise<{ readonly reason?: string; readonly message: string }>;
  readonly queue: {
    writeBuffer(buffer: GpuBuffer, offset: number, data: ArrayBufferView): void;
    submit(commands: object[]): void;
  };
  createBuffer(descriptor: { size: number; usage: number }): GpuBuffer;
  createShaderModule(descriptor: { code: string; label: string }): GpuHandle;
  createBindGroupLayout(descriptor: { entries: object[] }): GpuHandle;
  createPipelineLayout(descriptor: { bindGroupLayouts: GpuHandle[] }): GpuHandle;
  createBindGroup(descriptor: { layout: GpuHandle; entries: object[] }): GpuHandle;
  createComputePipelineAsync(descriptor: {
    label: string;
    layout: GpuHandle;
    compute: { module: GpuHandle; entryPoint: string };
  }): Promise<GpuHandle>;
  createQuerySet(descriptor: { type: "timestamp"; count: number }): GpuQuerySet;
  createCommandEncoder(): CommandEncoder;
  pushErrorScope(filter: "out-of-memory" | "validation"): void;
  popErrorScope(): Promise<{ readonly message: string } | null>;
  destroy(): void;
}

export interface GpuAdapter {
  readonly limits: object;
  readonly features: { has(name: string): boolean };
  requestDevice(descriptor: object): Promise<GpuDevice>;
}

/** `navigator.gpu`, or what the package `webgpu` creates. */
export interface Gpu {
  requestAdapter(options?: object): Promise<GpuAdapter | null>;
}

/** GPUBufferUsage (WebGPU, section 5.1.2). */
export const usage = {
  mapRead: 0x01,
  copySource: 0x04,
  copyTarget: 0x08,
  storage: 0x80,
  queryResolve: 0x200,
} as const;

/** GPUMapMode.READ. */
export const mapForReading = 1;

/** GPUShaderStage.COMPUTE. */
export const computeStage = 4;
