// A block session whose caches lie where @block and @prefix read them: a settled block's rows are copied there on the
// device, in the submit that computes them. src/passes/cache/block-writer.ts says what the ports are.

import { positionsFrom } from "../discrete/host-blocks.js";
import type { FloatArray } from "../step-runner.js";
import type { BlockInputs, BlockSession, TokenRunner } from "../token-runner.js";
import type { CommandEncoder } from "./gpu.js";
import { type Range, unpacked } from "./graph.js";
import type { GraphCalls } from "./graph-calls.js";
import { levelsOf, webgpuTokenRunner } from "./token-runner.js";

/** The runner of a model of tokens whose bundle has @block. */
export function webgpuBlockRunner(calls: GraphCalls): TokenRunner {
  return { ...webgpuTokenRunner(calls), openBlocks: (batch) => deviceBlocks(calls, batch) };
}

function deviceBlocks({ execution, graph, ofBatch, hold }: GraphCalls, batch: number): BlockSession {
  ofBatch(batch);
  const block = graph("block");
  const prefix = execution.graphs.get("prefix");
  const close = hold();
  for (const { name, bytes } of block.graph.inputs)
    if (/^(tail|prefix)\./.test(name)) block.write(name, new Float32Array(bytes / 4));
  const size = block.input("tokens")!.bytes / 4 / batch;
  let start = 0;
  const feed = ({ tokens, level }: BlockInputs): void => {
    block.write("tokens", tokens);
    block.write("level", levelsOf(level, batch));
    block.write("positions", positionsFrom(start, size));
  };
  /** Values [B, n, w] onto an input [B, m, w] from row `row` on. */
  const put = (encoder: CommandEncoder, from: Range, to: Range, row = 0): void => {
    const bytes = from.bytes / batch;
    for (let b = 0; b < batch; b++)
      encoder.copyBufferToBuffer(
        from.buffer,
        from.offset + b * bytes,
        to.buffer,
        to.offset + (b * to.bytes) / batch + (row * bytes) / size,
        bytes,
      );
  };

  return {
    size,
    async logits(given) {
      feed(given);
      const [bytes] = await execution.submit((encoder) => block.encode(encoder), [block.output("logits")]);
      return unpacked(block.outputPort("logits")!, bytes!) as FloatArray;
    },
    async settle(given) {
      feed(given);
      prefix?.write("positions", positionsFrom(start + size, size));
      await execution.submit((encoder) => {
        block.encode(encoder);
        for (const { name } of block.graph.outputs) {
          const input = name.replace("next.", "tail.").replace("rows.", "cache.");
          const to = block.input(input) ?? prefix?.input(input);
          if (to !== undefined) put(encoder, block.output(name), to, name.startsWith("rows.") ? start : 0);
        }
        prefix?.encode(encoder);
        for (const { name } of prefix?.graph.outputs ?? [])
          put(encoder, prefix!.output(name), block.input(name)!);
      }, []);
      start += size;
    },
    close,
  };
}
