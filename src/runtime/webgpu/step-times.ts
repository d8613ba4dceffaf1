// How long each kernel of a step takes, by the device's own clock.

import { usage } from "./gpu.js";
import type { LoadedGraph } from "./graph.js";
import type { Memory } from "./memory.js";

/** All dispatches of one kernel in one step. */
export interface KernelTime {
  readonly kernel: string;
  readonly dispatches: number;
  readonly microseconds: number;
}

/** Runs one step on what its buffers hold; undefined where the device has no timestamps. */
export async function stepTimes(
  step: LoadedGraph | undefined,
  memory: Memory,
): Promise<readonly KernelTime[] | undefined> {
  const { device } = memory;
  if (step === undefined || !device.features.has("timestamp-query")) return undefined;
  const count = 2 * step.kernels.length;
  // A query set has at most 4096 queries.
  if (count === 0 || count > 4096) return undefined;
  const querySet = device.createQuerySet({ type: "timestamp", count });
  const resolved = device.createBuffer({ size: 8 * count, usage: usage.queryResolve | usage.copySource });
  try {
    const encoder = device.createCommandEncoder();
    step.encodeEach(encoder, (k) => ({
      timestampWrites: { querySet, beginningOfPassWriteIndex: 2 * k, endOfPassWriteIndex: 2 * k + 1 },
    }));
    encoder.resolveQuerySet(querySet, 0, count, resolved, 0);
    const staging = memory.staging(8 * count);
    encoder.copyBufferToBuffer(resolved, 0, staging, 0, 8 * count);
    device.queue.submit([encoder.finish()]);
    const stamps = new BigUint64Array(await memory.read(staging));
    const byKernel = new Map<string, { dispatches: number; microseconds: number }>();
    step.kernels.forEach((kernel, k) => {
      const entry = byKernel.get(kernel) ?? { dispatches: 0, microseconds: 0 };
      entry.dispatches += 1;
      entry.microseconds += Number(stamps[2 * k + 1]! - stamps[2 * k]!) / 1000;
      byKernel.set(kernel, entry);
    });
    return [...byKernel]
      .map(([kernel, entry]) => ({ kernel, ...entry }))
      .sort((a, b) => b.microseconds - a.microseconds);
  } finally {
    resolved.destroy();
    querySet.destroy();
  }
}
