// A graph used as an op: fused groups, and @step around @denoise.

import { attribute, defineOp, rounding } from "../op.js";
import { sameType, typeText } from "../type.js";

export const call = defineOp({
  name: "call",
  summary: "the results of the named graph on the operands",
  operands: ["xs*"],
  attributes: { graph: attribute.string },
  fusion: "opaque",
  type({ xs }, { graph }, check) {
    const callee = check.graph(graph);
    check.that(callee !== undefined, "call_c1", `no graph @${graph} in this module`);
    if (callee === undefined) return [];
    const fits =
      callee.inputs.length === xs.length && callee.inputs.every((input, i) => sameType(input.type, xs[i]!));
    check.that(
      fits,
      "call_c2",
      `@${graph} takes (${callee.inputs.map((v) => typeText(v.type)).join(", ")}), got (${xs.map(typeText).join(", ")})`,
    );
    return callee.outputs.map((v) => v.type);
  },
  evaluate: ({ xs }, { graph }, context) => context.call(graph, xs),
  // The callee's own ops round; the call adds nothing.
  rounding: rounding.exact,
});
