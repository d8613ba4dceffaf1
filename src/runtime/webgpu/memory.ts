// All buffers of a loaded model, so that they are given back together; and the two ways a device fails: memory that
// runs out, and a device that is lost.

import { DlmcError, exitCodes } from "../../support/diagnostic.js";
import { type GpuBuffer, type GpuDevice, mapForReading, usage } from "./gpu.js";

export interface Memory {
  readonly device: GpuDevice;
  /** A buffer of storage that copies may read and write; sizes are rounded up to 4 bytes. */
  storage(bytes: number): GpuBuffer;
  /** Runs `body`; throws `webgpu/out-of-memory` when an allocation in it failed. */
  guarded<T>(body: () => Promise<T>): Promise<T>;
  /** The bytes of a buffer that was made for reading back, which is destroyed. */
  read(staging: GpuBuffer): Promise<ArrayBuffer>;
  /** A buffer for reading back. */
  staging(bytes: number): GpuBuffer;
  /** Throws `webgpu/device-lost` or `webgpu/destroyed` once either has happened. */
  check(): void;
  destroy(): void;
}

/** Memory on a device; `ownsDevice`: destroyed together with it. */
export function deviceMemory(device: GpuDevice, ownsDevice: boolean): Memory {
  const buffers = new Set<GpuBuffer>();
  let ended: DlmcError | undefined;
  const lost = device.lost.then(({ reason, message }) => {
    ended ??= problem(
      "webgpu/device-lost",
      `the graphics device was lost (${reason ?? "unknown"}): ${message}`,
    );
    return Promise.reject(ended);
  });
  // Whoever waits for the device sees the rejection; without anyone waiting it is no error.
  lost.catch(() => undefined);
  const make = (bytes: number, flags: number): GpuBuffer => {
    check();
    const buffer = device.createBuffer({ size: Math.max(4, Math.ceil(bytes / 4) * 4), usage: flags });
    buffers.add(buffer);
    return buffer;
  };
  const check = (): void => {
    if (ended !== undefined) throw ended;
  };
  return {
    device,
    check,
    storage: (bytes) => make(bytes, usage.storage | usage.copySource | usage.copyTarget),
    staging: (bytes) => make(bytes, usage.mapRead | usage.copyTarget),
    async guarded(body) {
      check();
      device.pushErrorScope("out-of-memory");
      let result: Awaited<ReturnType<typeof body>>;
      try {
        result = await body();
      } catch (error) {
        await device.popErrorScope().catch(() => null);
        check();
        throw error;
      }
      const error = await device.popErrorScope().catch(() => null);
      check();
      if (error !== null)
        throw problem("webgpu/out-of-memory", `the device has too little memory: ${error.message}`);
      return result;
    },
    async read(staging) {
      try {
        await Promise.race([staging.mapAsync(mapForReading), lost]);
        return staging.getMappedRange().slice(0);
      } catch (error) {
        // Mapping fails first when a device is lost; its own message says more.
        await Promise.race([lost, new Promise((resolve) => setTimeout(resolve, 50))]);
        check();
        throw error;
      } finally {
        staging.destroy();
        buffers.delete(staging);
      }
    },
    destroy() {
      ended ??= problem("webgpu/destroyed", "the model was destroyed");
      for (const buffer of buffers) buffer.destroy();
      buffers.clear();
      if (ownsDevice) device.destroy();
    },
  };
}

function problem(code: string, message: string): DlmcError {
  const help = {
    "webgpu/device-lost":
      "load the model again; if it happens again, the model may be too large for this device",
    "webgpu/out-of-memory": "close other pages, or compile for a shorter length or smaller batch",
    "webgpu/destroyed": "load it again",
  }[code];
  return new DlmcError([{ severity: "error", code, message, ...(help && { help }) }], exitCodes.environment);
}
