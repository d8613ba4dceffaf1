// Selective state-space models (Gu and Dao 2023, "Mamba: Linear-Time Sequence Modeling with Selective State Spaces"):
//   d = softplus(step(r)),  h_t = e^(d_t A) h_(t-1) + d_t B_t x_t,  y_t = sum_n C_t h_t + skip x_t,  A = -exp(log_decay)
// The step, B and C are read from x at every position, so no kernel stands for it: it is a recurrence.

import type { SelectiveSsmMixer } from "../../description/description.js";
import { type Dim, dim } from "../../ir/dim.js";
import type { Value } from "../../ir/graph.js";
import { child, type GraphContext, type Scope } from "../context.js";
import { activate, chunks, lastExtent, linear, project } from "../layers.js";
import { linearRecurrence } from "../recurrence.js";
import { depthwise } from "./short-conv.js";

export function lowerSelectiveSsm(c: GraphContext, scope: Scope, u: Value, mixer: SelectiveSsmMixer): Value {
  const { b } = c;
  const width = lastExtent(u);
  const inner = mixer.inner_factor * width;
  const both = project(c, child(scope, "in_proj", "/in_proj"), u, 2 * inner, mixer.in_proj);
  const [entered, z] = chunks(c, both, [inner, inner], ["x", "z"]) as [Value, Value];
  const x =
    mixer.short_conv.kind === "none"
      ? entered
      : depthwise(c, child(scope, "short_conv", "/short_conv"), entered, mixer.short_conv);
  const y = b.emit("mul", { a: scanned(c, scope, x, mixer), b: activate(c, z, mixer.gate_activation) }, {});
  return project(c, child(scope, "out_proj", "/out_proj"), y, width, mixer.out_proj);
}

/** y of x, f32[B, L, inner] both. */
function scanned(
  c: GraphContext,
  scope: Scope,
  x: Value,
  { states, step_rank: rank }: SelectiveSsmMixer,
): Value {
  const { b } = c;
  const [batch, length] = x.type.shape as [Dim, Dim];
  const inner = lastExtent(x);
  const selected = linear(c, child(scope, "select"), x, rank + 2 * states, false, "selected");
  const [r, input, output] = chunks(c, selected, [rank, states, states], ["rank", "input", "output"]) as [
    Value,
    Value,
    Value,
  ];
  const d = b.emit("softplus", { x: linear(c, child(scope, "step"), r, inner, true) }, {}, "step");
  // Channels are the axis before the states.
  const channels = (v: Value): Value =>
    b.emit("reshape", { x: v }, { shape: [batch, length, dim(inner), dim(1)] });
  const perState = (v: Value): Value =>
    b.emit("reshape", { x: v }, { shape: [batch, length, dim(1), dim(states)] });
  const rate = b.emit(
    "neg",
    { x: b.emit("exp", { x: c.parameter(scope, "log_decay", [inner, states], "log_decay") }, {}) },
    {},
  );
  const kept = b.emit("exp", { x: b.emit("mul", { a: channels(d), b: rate }, {}) }, {}, "kept");
  const taken = b.emit("mul", { a: channels(b.emit("mul", { a: d, b: x }, {})), b: perState(input) }, {});
  const state = linearRecurrence(c, kept, taken);
  const read = b.emit("mul", { a: state, b: perState(output) }, {});
  const sum = b.emit("reduce_sum", { x: read }, { axis: 3, keepdims: false });
  const skip = b.emit("mul", { a: x, b: c.parameter(scope, "skip", [inner], "skip") }, {});
  return b.emit("add", { a: sum, b: skip }, {}, "scanned");
}
