// All buffers of a loaded model, so that they are given back together; and the two ways a device fails: memory that
// runs out, and a device that is lost.

import { DlmcError, exitCodes } from "../../support/diagnostic.js";
import { type GpuBuffer, type GpuDevice, mapForReading, usage } from "./gpu.js";

export interface Memory {
  readonly device: GpuDevice;
  /** A buffer of storage that copies may read and write; sizes are rounded up to 4 bytes. */
  storage(bytes: number): GpuBuffer;
  /** Waits for the device's answer to all allocations so far; throws `webgpu/out-of-memory` when one failed. */
  allocated(): Promise<void>;
  /** The bytes of a buffer that was made for reading back, which is destroyed. */
  read(staging: GpuBuffer): Promise<ArrayBuffer>;
  /** A buffer for reading back. */
  staging(bytes: number): GpuBuffer;
  /** Throws `webgpu/device-lost`, `webgpu/destroyed` or `webgpu/out-of-memory` once one has happened. */
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
  const answers = new Set<Promise<void>>();
  let failed: DlmcError | undefined;
  const make = (bytes: number, flags: number): GpuBuffer => {
    check();
    // A device has one stack of scopes. Opened and closed without a pause in between, a scope cannot get hold of what
    // happens to another model that is loaded meanwhile.
    device.pushErrorScope("out-of-memory");
    const buffer = device.createBuffer({ size: Math.max(4, Math.ceil(bytes / 4) * 4), usage: flags });
    const answer = device.popErrorScope().then(
      (error) => {
        if (error !== null)
          failed ??= problem("webgpu/out-of-memory", `the device has too little memory: ${error.message}`);
        answers.delete(answer);
      },
      // Of a lost device; `check` says so.
      () => void answers.delete(answer),
    );
    answers.add(answer);
    buffers.add(buffer);
    return buffer;
  };
  const check = (): void => {
    const why = ended ?? failed;
    if (why !== undefined) throw why;
  };
  return {
    device,
    check,
    storage: (bytes) => make(bytes, usage.storage | usage.copySource | usage.copyTarget),
    staging: (bytes) => make(bytes, usage.mapRead | usage.copyTarget),
    async allocated() {
      await Promise.all(answers);
      check();
    },
    async read(staging) {
      try {
        await Promise.race([staging.mapAsync(mapForReading), lost]);
        check();
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
