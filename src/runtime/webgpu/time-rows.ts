// What @time computes of each noise level, kept on the device: a generation visits the same levels every time, so
// the time network runs once per level and a step copies its row.

import type { LoadedGraph, Range } from "./graph.js";
import type { Memory } from "./memory.js";

/** The row of a level, computed at its first use. */
export function timeRows(time: LoadedGraph | undefined, memory: Memory): (level: number) => Range {
  const rows = new Map<number, Range>();
  return (level) => {
    const known = rows.get(level);
    if (known !== undefined) return known;
    const computed = time!.output("time");
    const row = { buffer: memory.storage(computed.bytes), offset: 0, bytes: computed.bytes };
    time!.write("level", Float32Array.of(level));
    const encoder = memory.device.createCommandEncoder();
    time!.encode(encoder);
    encoder.copyBufferToBuffer(computed.buffer, computed.offset, row.buffer, 0, row.bytes);
    // Nothing waits for it: the queue keeps the order.
    memory.device.queue.submit([encoder.finish()]);
    rows.set(level, row);
    return row;
  };
}
