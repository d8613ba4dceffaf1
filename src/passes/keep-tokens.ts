// Logits [B, L, V] are the largest values of a model, and what is wanted of them is the best token of each position.
//   @step(..) -> .., tokens, logits     loses logits: the loop never reads them
// A model of tokens or of a simplex keeps the logits of @denoise: its loop reads them.
//   @denoise(..) -> x0, logits          gives tokens = argmax logits instead, where logits are larger than `most`
//   @round(..) -> logits, tokens        loses logits there, and @decode too
// A rounding head whose logits nobody reads can then be one kernel that never holds them.

import { makeOp, throwingCheck } from "../ir/build.js";
import { findGraph, type Graph, type Module, type Op, type Value } from "../ir/graph.js";
import type { Pass } from "./pass.js";
import { withoutDeadOps } from "./remove-dead.js";

/** `most`: bytes of logits that are worth reading back, 16 MiB by default. Extents must be bound for it to count. */
export function keepTokens({ most = 16 * 1024 * 1024 }: { readonly most?: number } = {}): Pass {
  return {
    name: "keep-tokens",
    summary: "drop the logits that nobody needs: all of @step, large ones of @denoise and @round",
    run(module) {
      const graphs = module.graphs.map((graph) => {
        if (graph.name === "step") return withoutLogits(graph);
        if (!["denoise", "round", "decode"].includes(graph.name)) return graph;
        const logits = graph.outputs[graph.outputNames.indexOf("logits")];
        if (graph.inputs.some(({ hint }) => hint === "tokens" || hint === "simplex")) return graph;
        if (logits === undefined || 4 * sizeOf(logits) <= most) return graph;
        return withoutLogits(
          graph.outputNames.includes("tokens") ? graph : withTokens(module, graph, logits),
        );
      });
      return graphs.every((graph, i) => graph === module.graphs[i])
        ? module
        : withoutDeadOps({ ...module, graphs });
    },
  };
}

/** Elements of a value; 0 when an extent is free. */
function sizeOf({ type }: Value): number {
  return type.shape.reduce((n, extent) => n * (extent.value ?? 0), 1);
}

/** The graph without its output `logits`, when tokens are one of its outputs. */
function withoutLogits(graph: Graph): Graph {
  if (!graph.outputNames.includes("logits") || !graph.outputNames.includes("tokens")) return graph;
  const kept = graph.outputNames.flatMap((name, i) => (name === "logits" ? [] : [i]));
  return {
    ...graph,
    outputs: kept.map((i) => graph.outputs[i]!),
    outputNames: kept.map((i) => graph.outputNames[i]!),
  };
}

function withTokens(module: Module, graph: Graph, logits: Value): Graph {
  const source = graph.ops.find((op) => op.results.includes(logits));
  const loc = { pointer: source?.loc.pointer ?? "", via: ["keep-tokens"] };
  const check = throwingCheck((name) => findGraph(module, name));
  const attributes: Op["attributes"] = { axis: logits.type.shape.length - 1 };
  const argmax = makeOp("argmax", [logits], attributes, loc, check, ["tokens"]);
  return {
    ...graph,
    ops: [...graph.ops, argmax],
    outputs: [...graph.outputs, argmax.results[0]!],
    outputNames: [...graph.outputNames, "tokens"],
  };
}
