// One block: the mixer branch, then the feed-forward branch, each with its normalisation, residual and
// adaLN modulation. Placement: pre x + f(norm(x)), post norm(x + f(x)), none x + f(x).

import type { Block, Branch } from "../description/description.js";
import type { Value } from "../ir/graph.js";
import { child, type GraphContext, type Scope } from "./context.js";
import { lowerFeedForward } from "./ffn.js";
import { lastExtent, normalize } from "./layers.js";
import { lowerMixer } from "./mixers/index.js";
import { type Modulation, modulate, modulations, type Time } from "./time.js";

const chunkNames = ["shift1", "scale1", "gate1", "shift2", "scale2", "gate2"] as const;

export function lowerBlock(c: GraphContext, scope: Scope, x: Value, block: Block, time: Time): Value {
  const [first, second] =
    time.kind === "ada_ln" ? modulationPair(c, scope, time, lastExtent(x)) : [undefined, undefined];
  const mixed = branch(c, child(scope, "norm1", "/norm"), x, block.mixer_branch, first, (y) =>
    lowerMixer(c, child(scope, "mixer", "/mixer"), y, block.mixer),
  );
  if (block.ffn.kind === "none") return mixed;
  return branch(c, child(scope, "norm2", "/norm"), mixed, block.ffn_branch, second, (y) =>
    lowerFeedForward(c, child(scope, "ffn", "/ffn"), y, block.ffn),
  );
}

function modulationPair(
  c: GraphContext,
  scope: Scope,
  time: Extract<Time, { kind: "ada_ln" }>,
  width: number,
): [Modulation, Modulation] {
  const [shift1, scale1, gate1, shift2, scale2, gate2] = modulations(
    c,
    child(scope, "ada_ln"),
    time,
    width,
    chunkNames,
  ) as [Value, Value, Value, Value, Value, Value];
  return [
    { shift: shift1, scale: scale1, gate: gate1 },
    { shift: shift2, scale: scale2, gate: gate2 },
  ];
}

/** One branch; with a modulation: x + gate f(norm(x) (1 + scale) + shift). */
function branch(
  c: GraphContext,
  scope: Scope,
  x: Value,
  { placement, residual, norm }: Branch,
  modulation: Modulation | undefined,
  f: (x: Value) => Value,
): Value {
  const { b } = c;
  const before = placement === "pre" ? normalize(c, scope, x, norm) : x;
  const inner = f(modulation === undefined ? before : modulate(c, before, modulation));
  const gated = modulation === undefined ? inner : b.emit("mul", { a: inner, b: modulation.gate }, {});
  const sum = residual ? b.emit("add", { a: x, b: gated }, {}, "residual") : gated;
  return placement === "post" ? normalize(c, scope, sum, norm) : sum;
}
