// Linear recurrences of each channel whose factors are read from the data: h_t = a_t h_(t-1) + b_t.
//   rg_lru   a = e^(-8 softplus(decay) r), b = sqrt(1 - a^2) i x    (De et al. 2024, Griffin; r, i sigmoids of layers)
//   min_gru  a = 1 - z, b = z input(x)                              (Feng et al. 2024; z a sigmoid of a layer)

import type { GatedRecurrenceMixer } from "../../description/description.js";
import type { Value } from "../../ir/graph.js";
import { child, type GraphContext, type Scope } from "../context.js";
import { structured } from "../ffn/dense.js";
import { lastExtent } from "../layers.js";
import { linearRecurrence } from "../recurrence.js";

export function lowerGatedRecurrence(
  c: GraphContext,
  scope: Scope,
  x: Value,
  { form, blocks, bias }: GatedRecurrenceMixer,
): Value {
  const { b } = c;
  const width = lastExtent(x);
  const layer = (name: "recurrence" | "input"): Value =>
    structured(
      c,
      child(scope, name),
      x,
      width,
      bias,
      blocks === 1 ? { kind: "dense" } : { kind: "block_diagonal", blocks },
    );
  const mul = (a: Value, by: Value): Value => b.emit("mul", { a, b: by }, {});
  const gate = b.emit("sigmoid", { x: layer("recurrence") }, {}, "gate");
  if (form === "min_gru") {
    const kept = b.emit("scale", { x: gate }, { factor: -1, offset: 1 }, "kept");
    return linearRecurrence(c, kept, mul(gate, layer("input")));
  }
  const rate = b.emit("softplus", { x: c.parameter(scope, "decay", [width], "bias") }, {});
  const exponent = b.emit("scale", { x: mul(gate, rate) }, { factor: -8 });
  const kept = b.emit("exp", { x: exponent }, {}, "kept");
  // The rest of a unit's square keeps the size of the state.
  const rest = b.emit("scale", { x: mul(kept, kept) }, { factor: -1, offset: 1 });
  const taken = mul(b.emit("sigmoid", { x: layer("input") }, {}), x);
  return linearRecurrence(c, kept, mul(b.emit("sqrt", { x: rest }, {}), taken));
}
