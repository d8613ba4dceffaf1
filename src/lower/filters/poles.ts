// What modal and diagonal-plus-low-rank filters store alike: poles, complex parameters, the step. Each is a stored number
// under a function that keeps its sign (s4.py's param_transform).

import type { DplrFilter, ModalFilter } from "../../description/description.js";
import { dim } from "../../ir/dim.js";
import type { Value } from "../../ir/graph.js";
import type { Init } from "../../weights/store.js";
import { type Complex, ComplexOps } from "../complex.js";
import { child, type GraphContext, type Scope } from "../context.js";

type PoleFilter = Pick<ModalFilter | DplrFilter, "groups" | "states" | "poles" | "step">;

/** exp(x), relu(x) + 1e-4, sigmoid(x), softplus(x) or x itself. */
function transformed(c: GraphContext, x: Value, transform: PoleFilter["step"]["transform"]): Value {
  if (transform === "none") return x;
  const y = c.b.emit(transform, { x }, {});
  return transform === "relu" ? c.b.emit("scale", { x: y }, { offset: 1e-4 }) : y;
}

/** `positive` and `plain`: x. `exp`: e^x. `negative`: -x. `negative_<transform>`: minus the transform of x. */
function signed(c: GraphContext, x: Value, form: string): Value {
  const transform = /^negative_(exp|relu|sigmoid|softplus)$/.exec(form)?.[1] as "exp" | undefined;
  if (transform !== undefined) return c.b.emit("neg", { x: transformed(c, x, transform) }, {});
  if (form === "exp") return c.b.emit("exp", { x }, {});
  return form === "negative" ? c.b.emit("neg", { x }, {}) : x;
}

/** The poles A [1, groups, states]; without an imaginary part that is undefined. */
export function poles(
  c: GraphContext,
  scope: Scope,
  { groups, states, poles: form }: PoleFilter,
): { readonly re: Value; readonly im: Value | undefined } {
  const at = child(scope, "poles", "/poles");
  const stored = (name: string, init: Init, as: string): Value =>
    signed(c, row(c, c.parameter(at, name, [groups, states], init), states), as);
  const re = stored("real", form.real === "plain" ? "log_poles" : "log_decay", form.real);
  return { re, im: form.imag === "none" ? undefined : stored("imag", "turns", form.imag) };
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

/** The step d as [1, groups, 1], or [1, groups, states] where each state has its own. */
export function step(c: GraphContext, scope: Scope, { groups, states, step: form }: PoleFilter): Value {
  const { b } = c;
  const own = form.per === "state";
  const stored = row(
    c,
    c.parameter(scope, "log_step", own ? [groups, states] : [groups], "step"),
    own ? states : 1,
  );
  return transformed(c, form.sinh ? sinh() : stored, form.transform);

  /** (e^x - e^-x) / 2. */
  function sinh(): Value {
    const [up, down] = [stored, b.emit("neg", { x: stored }, {})].map((x) => b.emit("exp", { x }, {}));
    return b.emit("scale", { x: b.emit("sub", { a: up!, b: down! }, {}) }, { factor: 0.5 });
  }
}

/** [groups, n] as [1, groups, n]. */
export function row(c: GraphContext, x: Value, n: number): Value {
  return c.b.emit("reshape", { x }, { shape: [dim(1), x.type.shape[0]!, dim(n)] });
}

/** a^0 .. a^(rows-1), [rows, groups, states], by doubling: log2(rows) products, no angle of a complex number. */
export function powersOf(c: GraphContext, a: Complex, rows: number): Complex {
  const { b } = c;
  const ops = new ComplexOps(c);
  const { shape } = a.re.type;
  let powers: Complex = {
    re: b.emit("constant", {}, { value: 1, shape }),
    im: b.emit("constant", {}, { value: 0, shape }),
  };
  let next = a;
  for (let count = 1; count < rows; count *= 2) {
    powers = ops.concat([powers, ops.mul(powers, next)], 0);
    next = ops.mul(next, next);
  }
  const first = (x: Value): Value =>
    x.type.shape[0]!.value === rows
      ? x
      : b.emit("slice", { x }, { axis: 0, start: dim(0), length: dim(rows) });
  return { re: first(powers.re), im: first(powers.im) };
}
