// Diagonal plus low-rank filters: S4's kernel (Gu et al. 2022, "Efficiently Modeling Long Sequences with Structured State
// Spaces", appendix C; s4.py's SSMKernelDPLR), evaluated at the n-th roots of unity w and brought back by irfft.
//
// Upstream evaluates r_v(z) = sum v / (z - d A) at z = 2 (1 - w)/(1 + w) and multiplies by 2/(1 + w); at w = -1 both are
// infinite. With r'_v = 2 r_v / (1 + w) = sum 2 v / (2 (1 - w) - (1 + w) d A) everything stays finite:
//   k^ = r'_BC - r'_BQ (1 + R)^-1 (1 + w)/2 r'_PC,   R = (1 + w)/2 r'_PQ,   Q = conj P.

import type { DplrFilter } from "../../description/description.js";
import { dim } from "../../ir/dim.js";
import type { Value } from "../../ir/graph.js";
import { type Complex, ComplexOps } from "../complex.js";
import { child, type GraphContext, type Scope } from "../context.js";
import { arrange, type Taps, twinOf } from "./layout.js";
import { complexParameter, poles, step } from "./poles.js";

export function lowerDplr(c: GraphContext, scope: Scope, filter: DplrFilter): Taps {
  const taps = (at: Scope): Value => kernel(c, at, filter);
  return arrange(c, filter, taps(scope), twinOf(filter) ? taps(child(scope, "reverse")) : undefined);
}

/** Taps [length, groups]. */
function kernel(c: GraphContext, scope: Scope, filter: DplrFilter): Value {
  const { b } = c;
  const { length: n, groups, states, rank } = filter;
  const bins = Math.floor(n / 2) + 1;
  const ops = new ComplexOps(c);
  const w = unitRoots(c, n, bins);
  const far = ops.scale(w, -2, 2);
  const near = ops.scale(w, 1, 1);
  const half = ops.scale(near, 0.5);
  const d = step(c, scope, filter);
  const { re, im } = poles(c, scope, filter);
  const pole: Complex = { re, im: im ?? b.emit("constant", {}, { value: 0, shape: re.type.shape }) };
  const stepped = ops.times(pole, d);
  const below = ops.sub(far, ops.mul(near, stepped));
  const belowTwin = ops.sub(far, ops.mul(near, ops.conj(stepped)));
  // Sums over states; [bins, groups, states] -> [bins, groups, 1].
  const resolvent = (x: Complex, y: Complex): Complex => {
    const v = ops.scale(ops.times(ops.mul(x, y), d), 2);
    const terms = ops.add(ops.div(v, below), ops.div(ops.conj(v), belowTwin));
    return ops.reshape(ops.sum(terms, 2), [bins, groups, 1]);
  };
  const output = complexParameter(c, scope, "residues", filter);
  const input = complexParameter(c, scope, "input", filter);
  const stored = c.parameter(scope, "low_rank", [rank, groups, states, 2], "residues");
  const low = Array.from({ length: rank }, (_, i) => {
    const row = b.emit("slice", { x: stored }, { axis: 0, start: dim(i), length: dim(1) });
    return ops.parts(row);
  });
  const pc = low.map((p) => ops.mul(half, resolvent(p, output)));
  const bq = low.map((p) => resolvent(input, ops.conj(p)));
  const pq = low.map((p) => low.map((q) => ops.mul(half, resolvent(p, ops.conj(q)))));
  const spectrum = ops.sub(resolvent(input, output), correction(ops, pc, bq, pq));
  const stacked = ops.reshape(spectrum, [bins, groups]);
  const back = b.emit("dft_matrix", {}, { length: n, bins, direction: "inverse" });
  const both = b.emit("concat", { xs: [stacked.re, stacked.im] }, { axis: 0 }, "spectrum");
  return b.emit("matmul", { a: back, b: both }, {}, "modes");
}

/**
 * bq (1 + pq)^-1 pc by elimination over the low-rank terms: after term k is eliminated from all others, x_k is its right
 * side over its pivot.
 */
function correction(
  ops: ComplexOps,
  pc: readonly Complex[],
  bq: readonly Complex[],
  pq: readonly (readonly Complex[])[],
): Complex {
  const rank = pc.length;
  const matrix = pq.map((line, i) => line.map((value, j) => (i === j ? ops.scale(value, 1, 1) : value)));
  const right = [...pc];
  for (let k = 0; k < rank; k++)
    for (let i = 0; i < rank; i++) {
      if (i === k) continue;
      const factor = ops.div(matrix[i]![k]!, matrix[k]![k]!);
      for (let j = k + 1; j < rank; j++)
        matrix[i]![j] = ops.sub(matrix[i]![j]!, ops.mul(factor, matrix[k]![j]!));
      right[i] = ops.sub(right[i]!, ops.mul(factor, right[k]!));
    }
  const terms = bq.map((value, k) => ops.div(ops.mul(value, right[k]!), matrix[k]![k]!));
  return terms.reduce((sum, term) => ops.add(sum, term));
}

/** w_k = e^(-2 pi i k / n), [bins, 1, 1]: the second column of the transform's own matrix. */
function unitRoots(c: GraphContext, n: number, bins: number): Complex {
  const { b } = c;
  const matrix = b.emit("dft_matrix", {}, { length: n, bins, direction: "forward" });
  const column = b.emit("slice", { x: matrix }, { axis: 1, start: dim(n === 1 ? 0 : 1), length: dim(1) });
  const part = (start: number): Value =>
    b.emit(
      "reshape",
      { x: b.emit("slice", { x: column }, { axis: 0, start: dim(start), length: dim(bins) }) },
      { shape: [dim(bins), dim(1), dim(1)] },
    );
  return { re: part(0), im: part(bins) };
}
