// A block session whose caches lie where @block and @prefix read them: a settled block's rows are copied there on the
// device, in the submit that computes them. src/passes/cache/block-writer.ts says what the ports are.

import { numbersAfter, positionsFrom } from "../discrete/host-blocks.js";
import type { FloatArray } from "../step-runner.js";
import type { BlockInputs, BlockSession, TokenRunner } from "../token-runner.js";
import type { Execution } from "./execution.js";
import type { CommandEncoder, GpuBuffer } from "./gpu.js";
import { type LoadedGraph, type Range, unpacked } from "./graph.js";
import type { GraphCalls } from "./graph-calls.js";
import { levelsOf, webgpuTokenRunner } from "./token-runner.js";

/** The runner of a model of tokens whose bundle has @block. */
export function webgpuBlockRunner(calls: GraphCalls): TokenRunner {
  const { execution, graph, ofBatch, hold } = calls;
  // Sessions beside the first one have graphs of their own, kept for the next generation.
  const copyOf = (graph: LoadedGraph): LoadedGraph => {
    const twin = graph.twin();
    // What @filters made lies among the inputs, which are one buffer.
    const [from, to] = [graph, twin].map((one) => one.input("positions")!.buffer) as [GpuBuffer, GpuBuffer];
    const { device } = execution.memory;
    const encoder = device.createCommandEncoder();
    encoder.copyBufferToBuffer(from, 0, to, 0, to.size);
    device.queue.submit([encoder.finish()]);
    return twin;
  };
  const pairs: Pair[] = [{ block: graph("block"), prefix: execution.graphs.get("prefix") }];
  return {
    ...webgpuTokenRunner(calls),
    openBlocks(batch, count) {
      ofBatch(batch);
      const release = hold();
      const [{ block, prefix }] = pairs as [Pair];
      while (pairs.length < count) pairs.push({ block: copyOf(block), prefix: prefix && copyOf(prefix) });
      let open = count;
      const close = (): void => {
        if (--open === 0) release();
      };
      return pairs.slice(0, count).map((pair) => deviceBlocks(execution, pair, batch, close));
    },
  };
}

/** @block and @prefix with the inputs that a session keeps its rows in. */
interface Pair {
  readonly block: LoadedGraph;
  readonly prefix: LoadedGraph | undefined;
}

function deviceBlocks(
  execution: Execution,
  { block, prefix }: Pair,
  batch: number,
  close: () => void,
): BlockSession {
  for (const { name, bytes } of block.graph.inputs)
    if (/^(tail|prefix)\./.test(name)) block.write(name, new Float32Array(bytes / 4));
  const size = block.input("tokens")!.bytes / 4 / batch;
  let start = 0;
  const feed = ({ tokens, level }: BlockInputs, settling: number): void => {
    block.write("tokens", tokens);
    block.write("level", levelsOf(level, batch));
    block.write("positions", positionsFrom(start, size));
    for (const [name, numbers] of Object.entries(numbersAfter(settling, block.graph.inputs)))
      block.write(name, numbers);
  };
  /** The first `bytes` of each text's part of an output into its part of an input, `skip` bytes in. */
  const put = (
    encoder: CommandEncoder,
    from: Range,
    to: Range,
    bytes = from.bytes / batch,
    skip = 0,
  ): void => {
    for (let b = 0; b < batch; b++)
      encoder.copyBufferToBuffer(
        from.buffer,
        from.offset + (b * from.bytes) / batch,
        to.buffer,
        to.offset + (b * to.bytes) / batch + skip,
        bytes,
      );
  };

  const logitsOf = ([bytes]: readonly ArrayBuffer[]): FloatArray =>
    unpacked(block.outputPort("logits")!, bytes!) as FloatArray;

  return {
    size,
    async logits(given) {
      feed(given, 0);
      return logitsOf(await execution.submit((encoder) => block.encode(encoder), [block.output("logits")]));
    },
    async settle(given, count) {
      feed(given, count);
      prefix?.write("positions", positionsFrom(start + count, size));
      const settled = execution.submit(
        (encoder) => {
          block.encode(encoder);
          for (const { name } of block.graph.outputs) {
            const input = name.replace("next.", "tail.").replace("rows.", "cache.");
            const to = block.input(input) ?? prefix?.input(input);
            if (to === undefined) continue;
            const from = block.output(name);
            const row = from.bytes / batch / size;
            if (name.startsWith("rows.")) put(encoder, from, to, count * row, start * row);
            else put(encoder, from, to);
          }
        },
        [block.output("logits")],
      );
      // A submit of its own: @prefix works where the logits lie.
      const summed = execution.submit((encoder) => {
        prefix?.encode(encoder);
        for (const { name } of prefix?.graph.outputs ?? [])
          put(encoder, prefix!.output(name), block.input(name)!);
      }, []);
      start += count;
      const [logits] = await Promise.all([settled, summed]);
      return logitsOf(logits);
    },
    close,
  };
}
