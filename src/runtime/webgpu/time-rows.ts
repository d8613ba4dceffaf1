// What @time computes of each noise level, kept on the device: a generation visits the same levels every time, so
// the time network runs once per level and a step copies its row.

import type { CommandEncoder } from "./gpu.js";
import type { LoadedGraph, Range } from "./graph.js";
import type { Memory } from "./memory.js";

/** Copies what @time says about a level to the graph's input, when it has one. */
export type CopyTime = (encoder: CommandEncoder, level: number, to: LoadedGraph) => void;

/** Copies from rows that are computed at their first use. */
export function timeCopies(time: LoadedGraph | undefined, memory: Memory): CopyTime {
  const rows = new Map<number, Range>();
  const rowOf = (level: number): Range => {
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
  return (encoder, level, to) => {
    const input = to.input("time");
    if (input === undefined) return;
    const row = rowOf(level);
    encoder.copyBufferToBuffer(row.buffer, row.offset, input.buffer, input.offset, input.bytes);
  };
}
