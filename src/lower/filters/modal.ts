// Modal filters: diagonal state-space models (Gu et al. 2022, "On the Parameterization and Initialization of Diagonal
// State Space Models", S4D; s4.py's SSMKernelDiag) and the real modes of StripedHyena.
//   with a step  k[t] = 2 Re sum_n R_n a_n^t      none  k[t] = 2 Re sum_n R_n e^(A_n t), sum_n R_n e^(A_n t) for real A
//   zoh          a = e^(d A),                       R = C B (e^(d A) - 1) / A
//   bilinear     a = (1 + d A/2) / (1 - d A/2),     R = C B d / (1 - d A/2)
//   dss          a = e^(d A),                       R = C B (e^(d A) - 1) / x, x = A (e^(T d A) - 1), no factor 2

import type { ModalFilter } from "../../description/description.js";
import { dim } from "../../ir/dim.js";
import type { Value } from "../../ir/graph.js";
import { type Complex, ComplexOps } from "../complex.js";
import { child, type GraphContext, type Scope } from "../context.js";
import { arrange, type Taps, twinOf } from "./layout.js";
import { complexParameter, poles, powersOf, row, step } from "./poles.js";

export function lowerModal(c: GraphContext, scope: Scope, filter: ModalFilter): Taps {
  const taps = (at: Scope): Value => modes(c, at, filter);
  return arrange(c, filter, taps(scope), twinOf(filter) ? taps(child(scope, "reverse")) : undefined);
}

/** Taps [T, groups], T the sequence (or the built length where that is longer: rows beyond are cut). */
function modes(c: GraphContext, scope: Scope, filter: ModalFilter): Value {
  const { b } = c;
  const ops = new ComplexOps(c);
  const { sequence } = c.lowering;
  // Upstream's dss divides by a sum over exactly the taps that are used.
  const exact = filter.beyond === "zero" ? Math.min(filter.length, sequence) : sequence;
  const rows =
    filter.beyond === "zero" || filter.discretization === "dss" ? exact : Math.max(filter.length, sequence);
  const times = b.emit(
    "reshape",
    { x: b.emit("iota", {}, { length: dim(rows) }) },
    { shape: [dim(rows), dim(1), dim(1)] },
  );
  const { re, im } = poles(c, scope, filter);
  const zero = (): Value => b.emit("constant", {}, { value: 0, shape: re.type.shape });
  const stored = (name: string): Complex =>
    im !== undefined
      ? complexParameter(c, scope, name, filter)
      : {
          re: row(c, c.parameter(scope, name, [filter.groups, filter.states], "residues"), filter.states),
          im: zero(),
        };
  const output = stored("residues");
  const weighted = filter.input === "stored" ? ops.mul(output, stored("input")) : output;
  if (im === undefined && filter.discretization === "none") {
    const decays = b.emit("exp", { x: b.emit("mul", { a: times, b: re }, {}) }, {});
    const terms = b.emit("mul", { a: weighted.re, b: decays }, {});
    return b.emit("reduce_sum", { x: terms }, { axis: 2, keepdims: false }, "modes");
  }
  const pole: Complex = { re, im: im ?? zero() };
  const { residues, powers } = discretized(c, scope, filter, { pole, weighted, times, rows });
  const { re: real } = ops.mul(residues, powers);
  const sum = b.emit("reduce_sum", { x: real }, { axis: 2, keepdims: false });
  return filter.discretization === "dss" ? sum : b.emit("scale", { x: sum }, { factor: 2 }, "modes");
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
  { pole, weighted: all, times, rows }: Continuous,
): { residues: Complex; powers: Complex } {
  const ops = new ComplexOps(c);
  if (filter.discretization === "none") return { residues: all, powers: ops.exp(ops.times(pole, times)) };
  const d = step(c, scope, filter);
  const stepped = ops.times(pole, d);
  const weighted = filter.bandlimit === 0 ? all : ops.times(all, belowLimit(c, stepped.im, filter.bandlimit));
  if (filter.discretization === "bilinear") {
    const below = ops.scale(stepped, -0.5, 1);
    const ratio = ops.div(ops.scale(stepped, 0.5, 1), below);
    return { residues: ops.div(ops.times(weighted, d), below), powers: powersOf(c, ratio, rows) };
  }
  const moved = ops.mul(weighted, ops.scale(ops.exp(stepped), 1, -1));
  const powers = ops.exp(ops.times(stepped, times));
  if (filter.discretization === "zoh") return { residues: ops.div(moved, pole), powers };
  const whole = ops.mul(pole, ops.scale(ops.exp(ops.scale(stepped, rows)), 1, -1));
  return { residues: ops.div(moved, whole, 1e-7), powers };
}

/** 1 where |d im A| / (2 pi) < limit / 2, else 0. */
function belowLimit(c: GraphContext, turns: Value, limit: number): Value {
  const { b } = c;
  const constant = (value: number): Value => b.emit("constant", {}, { value });
  const frequency = b.emit("scale", { x: b.emit("abs", { x: turns }, {}) }, { factor: 1 / (2 * Math.PI) });
  const condition = b.emit("less", { a: frequency, b: constant(limit / 2) }, {});
  return b.emit("where", { condition, a: constant(1), b: constant(0) }, {});
}
