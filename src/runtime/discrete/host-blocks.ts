// A block session whose caches are arrays of the host, over @block and @prefix as src/passes/cache/block-writer.ts defines
// their ports: cache.* holds the rows of settled positions, tail.* the last ones, prefix.* what @prefix makes of them.

import type { FloatArray } from "../step-runner.js";
import type { BlockInputs, BlockSession } from "../token-runner.js";

/** Inputs of a graph by name. */
export type BlockFeeds = Readonly<Record<string, FloatArray | Int32Array>>;

/** The graphs as a back end runs them. */
export interface BlockGraphs {
  readonly batch: number;
  /** Inputs of both graphs, with numbers for all extents. */
  readonly inputs: readonly { readonly name: string; readonly shape: readonly number[] }[];
  readonly hasPrefix: boolean;
  /** Zeros in the precision that the graphs compute in. */
  zeros(count: number): FloatArray;
  /** Runs @block or @prefix on what it takes of the feeds. */
  run(graph: "block" | "prefix", feeds: BlockFeeds): Promise<Readonly<Record<string, FloatArray>>>;
}

const isKept = (name: string): boolean => /^(cache|tail|prefix)\./.test(name);

/** Begins a session. */
export function hostBlocks({ batch, inputs, hasPrefix, zeros, run }: BlockGraphs): BlockSession {
  const size = inputs.find(({ name }) => name === "tokens")!.shape[1]!;
  const kept: Record<string, FloatArray> = {};
  for (const { name, shape } of inputs)
    if (isKept(name)) kept[name] = zeros(shape.reduce((n, extent) => n * extent, 1));
  let start = 0;
  const call = ({ tokens, level }: BlockInputs, settling: number) =>
    run("block", {
      ...kept,
      ...numbersAfter(settling, inputs),
      tokens,
      level: Float64Array.from(level),
      positions: positionsFrom(start, size),
    });
  return {
    size,
    logits: async (given) => (await call(given, 0)).logits!,
    async settle(given, count) {
      const outputs = await call(given, count);
      for (const [name, made] of Object.entries(outputs)) {
        if (name.startsWith("next.")) kept[name.replace("next", "tail")] = made;
        else if (name.startsWith("rows."))
          append(kept[name.replace("rows", "cache")]!, made, { batch, start, size, count });
      }
      start += count;
      if (hasPrefix)
        Object.assign(kept, await run("prefix", { ...kept, positions: positionsFrom(start, size) }));
      return outputs.logits!;
    },
    close() {},
  };
}

/** The positions of a block of so many at `start`. */
export function positionsFrom(start: number, size: number): Int32Array {
  return Int32Array.from({ length: size }, (_, i) => start + i);
}

/** What inputs after.* of these lengths hold while `count` positions settle. */
export function numbersAfter(
  count: number,
  inputs: readonly { readonly name: string; readonly shape: readonly number[] }[],
): Record<string, Int32Array> {
  const numbered = inputs.filter(({ name }) => name.startsWith("after."));
  return Object.fromEntries(numbered.map(({ name, shape }) => [name, positionsFrom(count, shape[0]!)]));
}

interface Appended {
  readonly batch: number;
  readonly start: number;
  readonly size: number;
  readonly count: number;
}

/** The first `count` of rows [B, s, w] into a cache [B, capacity, w] from row `start` on. */
function append(cache: FloatArray, rows: FloatArray, { batch, start, size, count }: Appended): void {
  const width = rows.length / batch / size;
  for (let b = 0; b < batch; b++)
    cache.set(
      rows.subarray(b * size * width, (b * size + count) * width),
      (b * cache.length) / batch + start * width,
    );
}
