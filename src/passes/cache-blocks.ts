// The graphs of exact block decoding, from @denoise(tokens i32[B, L], level?) -> logits f32[B, L, V] of a network in which
// a block of s positions sees itself and those before it. While a block is denoised the settled ones stay as they are, so
// what it reads of them (src/passes/cache/block-writer.ts) is computed once:
//   @block(tokens i32[B, s], level?, positions i32[s], cache.*, tail.*, prefix.*) -> logits f32[B, s, V], rows.*, next.*
//   @prefix(positions i32[s], cache.*) -> prefix.*         once a block, where convolutions reach far back
// positions are start .. start + s - 1, start a multiple of u. At every block these are the rows of @denoise itself. With
// u = s all positions of a block settle together; with smaller u any multiple of u of them, whose number is an input where
// rows of the last ones are kept:
//   @block(.., after.* i32[r]) with after = (n, n + 1, ..), n positions settle

import { Dim } from "../ir/dim.js";
import { findGraph, type Graph, type Module } from "../ir/graph.js";
import { type } from "../ir/type.js";
import { BlockWriter, passName, single } from "./cache/block-writer.js";
import { writeRows } from "./cache/rules.js";
import type { Pass } from "./pass.js";
import { withoutDeadOps } from "./remove-dead.js";

/** Of which sizes blocks are. */
export interface BlockSizes {
  /** s, positions of a block: a multiple of `settle`. */
  readonly block: number;
  /** u, positions settle in multiples of this many; `block` by default. */
  readonly settle?: number;
}

/**
 * Adds @block and @prefix to a module with such a @denoise. Throws `cache/no-rule` where a position depends on positions
 * behind the next multiple of u, so that nothing of the settled ones can be kept.
 */
export function cacheBlocks({ block, settle = block }: BlockSizes): Pass {
  return {
    name: passName,
    summary: "add the graphs that denoise one block given what is kept of those before it",
    run(module) {
      const denoise = findGraph(module, "denoise");
      if (denoise === undefined || findGraph(module, "block") !== undefined) return module;
      const graphs = blockGraphs(denoise, block, settle);
      return graphs === undefined ? module : withGraphs(module, graphs);
    },
  };
}

function withGraphs(module: Module, graphs: readonly Graph[]): Module {
  const added = withoutDeadOps({ ...module, graphs });
  return { ...module, graphs: [...module.graphs, ...added.graphs] };
}

/** The graphs; undefined where @denoise does not read tokens of a bound length. */
function blockGraphs(denoise: Graph, size: number, unit: number): readonly Graph[] | undefined {
  const tokens = denoise.inputs.find(({ hint }) => hint === "tokens");
  const logits = denoise.outputs[denoise.outputNames.indexOf("logits")];
  const [batch, length] = tokens?.type.shape ?? [];
  if (tokens === undefined || logits === undefined || length?.value === undefined) return undefined;
  const c = new BlockWriter(denoise, length.value, size, unit);
  const own = c.block.b.input("tokens", type("i32", [batch!, Dim.of(c.size)]));
  c.setRows(tokens, { value: own, axis: 1, outer: single });
  for (const op of denoise.ops)
    if (op.operands.some((v) => c.rowsOf(v) !== undefined || c.isPart(v))) writeRows(op, c);
  return c.finish(c.lineOf(denoise.ops.at(-1)!, logits));
}
