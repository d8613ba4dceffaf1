// call @g(x) = the ops of @g with its inputs replaced by x. Graphs stay in the module: they are artefacts of
// their own. After this pass a graph can be seen whole by every other pass.

import { findGraph, type Value } from "../ir/graph.js";
import { type Rule, rewriteModule } from "../ir/rewrite.js";
import { bug } from "../support/diagnostic.js";
import type { Pass } from "./pass.js";

/** A callee comes before its callers, so it has no calls left when it is copied. */
const inline: Rule = (op, rewriter) => {
  if (op.name !== "call") return undefined;
  const callee = findGraph(rewriter.module, op.attributes.graph as string);
  if (callee === undefined) bug(`no graph @${op.attributes.graph}`);
  const values = new Map<Value, Value>();
  callee.inputs.forEach((input, i) => {
    values.set(input, op.operands[i]!);
  });
  for (const inner of callee.ops) {
    const results = rewriter.copy(
      inner,
      inner.operands.map((v) => v && values.get(v)!),
    );
    inner.results.forEach((result, i) => {
      values.set(result, results[i]!);
    });
  }
  return callee.outputs.map((v) => values.get(v)!);
};

export const inlineCalls: Pass = {
  name: "inline-calls",
  summary: "put the ops of a called graph in place of the call",
  run: (module) => rewriteModule(module, "inline-calls", [inline]),
};
