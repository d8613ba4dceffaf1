// Modal filters: diagonal state-space models (Gu et al. 2022, "On the Parameterization and Initialization of Diagonal
// State Space Models", S4D; s4.py's SSMKernelDiag) and the real modes of StripedHyena.
//   complex  k[t] = 2 Re sum_n R_n a_n^t      real  k[t] = sum_n R_n e^(A_n t)
//   zoh      a = e^(d A),                       R = C B (e^(d A) - 1) / A
//   bilinear a = (1 + d A/2) / (1 - d A/2),     R = C B d / (1 - d A/2)

import type { ModalFilter } from "../../description/description.js";
import { dim } from "../../ir/dim.js";
import type { Value } from "../../ir/graph.js";
import { type Complex, ComplexOps } from "../complex.js";
import { child, type GraphContext, type Scope } from "../context.js";
import { arrange, type Taps, twinOf } from "./layout.js";
import { complexParameter, poles, step } from "./poles.js";

export function lowerModal(c: GraphContext, scope: Scope, filter: ModalFilter): Taps {
  const taps = (at: Scope): Value => modes(c, at, filter);
  return arrange(c, filter, taps(scope), twinOf(filter) ? taps(child(scope, "reverse")) : undefined);
}

/** Taps [T, groups], T the sequence (or the built length where that is longer: rows beyond are cut). */
function modes(c: GraphContext, scope: Scope, filter: ModalFilter): Value {
  const { b } = c;
  const ops = new ComplexOps(c);
  const rows = Math.max(filter.length, c.lowering.sequence);
  const times = b.emit(
    "reshape",
    { x: b.emit("iota", {}, { length: dim(rows) }) },
    { shape: [dim(rows), dim(1), dim(1)] },
  );
  const { re, im } = poles(c, scope, filter);
  if (im === undefined) {
    const stored = c.parameter(scope, "residues", [filter.groups, filter.states], "residues");
    const residues = b.emit("reshape", { x: stored }, { shape: re.type.shape });
    const decays = b.emit("exp", { x: b.emit("mul", { a: times, b: re }, {}) }, {});
    return b.emit(
      "reduce_sum",
      { x: b.emit("mul", { a: residues, b: decays }, {}) },
      { axis: 2, keepdims: false },
    );
  }
  const pole: Complex = { re, im };
  const output = complexParameter(c, scope, "residues", filter);
  const weighted =
    filter.input === "stored" ? ops.mul(output, complexParameter(c, scope, "input", filter)) : output;
  const { residues, powers } = discretized(c, scope, filter, { pole, weighted, times, rows });
  const { re: real } = ops.mul(residues, powers);
  const sum = b.emit("reduce_sum", { x: real }, { axis: 2, keepdims: false });
  return b.emit("scale", { x: sum }, { factor: 2 }, "modes");
}

interface Continuous {
  readonly pole: Complex;
  /** C B. */
  readonly weighted: Complex;
  readonly times: Value;
  readonly rows: number;
}

/** R [1, groups, states] and a^t [T, groups, states]. */
function discretized(
  c: GraphContext,
  scope: Scope,
  filter: ModalFilter,
  { pole, weighted, times, rows }: Continuous,
): { residues: Complex; powers: Complex } {
  const ops = new ComplexOps(c);
  if (filter.discretization === "none")
    return { residues: weighted, powers: ops.exp(ops.times(pole, times)) };
  const d = step(c, scope, filter);
  const stepped = ops.times(pole, d);
  if (filter.discretization === "zoh")
    return {
      residues: ops.div(ops.mul(weighted, ops.scale(ops.exp(stepped), 1, -1)), pole),
      powers: ops.exp(ops.times(stepped, times)),
    };
  const below = ops.scale(stepped, -0.5, 1);
  const ratio = ops.div(ops.scale(stepped, 0.5, 1), below);
  return { residues: ops.div(ops.times(weighted, d), below), powers: powersOf(c, ratio, rows) };
}

/** a^0 .. a^(rows-1), [rows, groups, states], by doubling: log2(rows) products, no angle of a complex number. */
function powersOf(c: GraphContext, a: Complex, rows: number): Complex {
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
