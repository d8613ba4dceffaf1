// From files to the device: kernels to pipelines, weights tensor by tensor to buffers. Every byte is compared with
// the hash the manifest has of it before it is used.

import { fail } from "../../support/diagnostic.js";
import { inside } from "../read-text.js";
import { computeStage, type GpuBuffer, type GpuDevice, type GpuHandle } from "./gpu.js";
import type { WgslManifest } from "./manifest.js";
import type { Memory } from "./memory.js";
import { readBytes, readWhole, verifyHash } from "./read-bytes.js";

/** How far loading is, in bytes of weights. */
export interface LoadProgress {
  readonly loaded: number;
  readonly total: number;
  /** The tensor that came last; absent before the first. */
  readonly tensor?: string;
}

export interface Pipeline {
  readonly pipeline: GpuHandle;
  readonly layout: GpuHandle;
  readonly file: string;
}

/** Every kernel of the bundle in the best form that `has` has features for, compiled at once and asynchronously. Throws `bundle/corrupt`, `bundle/unreadable`, `webgpu/kernel`. */
export function loadPipelines(
  device: GpuDevice,
  location: string,
  { kernels }: WgslManifest,
  has: (feature: string) => boolean,
  signal?: AbortSignal,
): Promise<Pipeline[]> {
  const layouts = new Map<string, GpuHandle>();
  const layoutOf = (bindings: WgslManifest["kernels"][number]["bindings"]): GpuHandle => {
    const key = bindings.join();
    const known =
      layouts.get(key) ??
      device.createBindGroupLayout({
        entries: bindings.map((access, binding) => ({
          binding,
          visibility: computeStage,
          buffer: { type: access === "read" ? "read-only-storage" : "storage" },
        })),
      });
    layouts.set(key, known);
    return known;
  };
  return Promise.all(
    kernels.map(async (kernel) => {
      const { forms, bindings } = kernel;
      const { file, sha256 } = forms?.find(({ features }) => features.every(has)) ?? kernel;
      const path = inside(location, file);
      const code = await readWhole(path, signal);
      await verifyHash(new TextEncoder().encode(code), sha256, "the kernel", path);
      const layout = layoutOf(bindings);
      try {
        const pipeline = await device.createComputePipelineAsync({
          label: file,
          layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
          compute: { module: device.createShaderModule({ code, label: file }), entryPoint: "main" },
        });
        return { pipeline, layout, file };
      } catch (error) {
        return fail("webgpu/kernel", `the device refuses a kernel: ${(error as Error).message}`, {
          file: path,
          help: "please report the message, the device and the kernel",
        });
      }
    }),
  );
}

/**
 * Streams the weight file into one buffer a tensor; never more than a tensor is held here.
 * Throws `bundle/truncated`, `bundle/corrupt`, `bundle/unreadable`, and the signal's reason.
 */
export async function loadWeights(
  memory: Memory,
  location: string,
  { weights }: WgslManifest,
  progress?: (at: LoadProgress) => void,
  signal?: AbortSignal,
): Promise<Map<string, GpuBuffer>> {
  const file = inside(location, weights.file);
  const buffers = new Map<string, GpuBuffer>();
  const tensors = [...weights.tensors].sort((a, b) => a.offset - b.offset);
  const total = weights.bytes;
  let next = 0;
  let held = new Uint8Array(tensors[0]?.bytes ?? 0);
  let filled = 0;
  let at = 0;
  progress?.({ loaded: 0, total });
  const finish = async (): Promise<void> => {
    const { name, sha256, bytes } = tensors[next++]!;
    await verifyHash(held, sha256, `the tensor ${name}`, file);
    const buffer = memory.storage(bytes);
    memory.device.queue.writeBuffer(buffer, 0, padded(held));
    buffers.set(name, buffer);
    progress?.({ loaded: at, total, tensor: name });
    held = new Uint8Array(tensors[next]?.bytes ?? 0);
    filled = 0;
  };
  if (tensors.length === 0) return buffers;
  for await (const chunk of readBytes(file, signal)) {
    for (let used = 0; used < chunk.length && next < tensors.length; ) {
      const { offset, bytes } = tensors[next]!;
      if (at < offset) {
        // The header, which the manifest makes unnecessary.
        const skipped = Math.min(offset - at, chunk.length - used);
        used += skipped;
        at += skipped;
        continue;
      }
      const taken = Math.min(bytes - filled, chunk.length - used);
      held.set(chunk.subarray(used, used + taken), filled);
      used += taken;
      at += taken;
      filled += taken;
      if (filled === bytes) await finish();
    }
    signal?.throwIfAborted();
  }
  if (next < tensors.length)
    fail("bundle/truncated", `the weight file ends after ${at} of ${total} bytes`, {
      file,
      help: "copy the bundle again",
    });
  return buffers;
}

/** Writes to a buffer come in multiples of four bytes. */
function padded(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  if (bytes.length % 4 === 0) return bytes;
  const whole = new Uint8Array(Math.ceil(bytes.length / 4) * 4);
  whole.set(bytes);
  return whole;
}
