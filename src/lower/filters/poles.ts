// What modal and diagonal-plus-low-rank filters store alike: poles, complex parameters, the step.

import type { DplrFilter, ModalFilter } from "../../description/description.js";
import { dim } from "../../ir/dim.js";
import type { Value } from "../../ir/graph.js";
import type { Init } from "../../weights/store.js";
import { type Complex, ComplexOps } from "../complex.js";
import { child, type GraphContext, type Scope } from "../context.js";

type PoleFilter = ModalFilter | DplrFilter;

/** The poles A [1, groups, states]; without an imaginary part that is undefined. */
export function poles(
  c: GraphContext,
  scope: Scope,
  { groups, states, poles: form }: PoleFilter,
): { readonly re: Value; readonly im: Value | undefined } {
  const { b } = c;
  const at = child(scope, "poles", "/poles");
  const stored = (name: string, init: Init): Value =>
    b.emit("reshape", { x: c.parameter(at, name, [groups, states], init) }, { shape: oneOf(groups, states) });
  const real = stored("real", form.real === "plain" ? "log_poles" : "log_decay");
  const re = form.real === "plain" ? real : b.emit("neg", { x: b.emit("exp", { x: real }, {}) }, {});
  if (form.imag === "none") return { re, im: undefined };
  const imag = stored("imag", "turns");
  return { re, im: form.imag === "negative" ? b.emit("neg", { x: imag }, {}) : imag };
}

/** A complex parameter [groups, states, 2] as [1, groups, states]. */
export function complexParameter(
  c: GraphContext,
  scope: Scope,
  name: string,
  { groups, states }: PoleFilter,
): Complex {
  const ops = new ComplexOps(c);
  const stored = c.parameter(scope, name, [groups, states, 2], "residues");
  return ops.reshape(ops.parts(stored), [1, groups, states]);
}

/** exp(log_step) as [1, groups, 1]. */
export function step(c: GraphContext, scope: Scope, { groups }: PoleFilter): Value {
  const stored = c.parameter(scope, "log_step", [groups], "step");
  return c.b.emit("reshape", { x: c.b.emit("exp", { x: stored }, {}) }, { shape: oneOf(groups, 1) });
}

function oneOf(groups: number, states: number) {
  return [dim(1), dim(groups), dim(states)];
}
