// Spectral filters (Hazan et al. 2017, "Learning Linear Dynamical Systems via Spectral Filtering"; Agarwal et al. 2023, STU):
// eigenvectors of a Hankel matrix that stands for all systems at once, Z = int w(a) v v' da, v[t] = a^t,
//   standard     w = (1 - a)^2 on [0, 1]         alternating   w = (1 - a^2)^2 on [-1, 1]
// With a sum for the integral Z = A A', so eigenvectors are singular vectors of A and eigenvalues squares: those down to
// 1e-28 of the largest have digits, where a solver of Z itself ends at 1e-16.

import type { HankelFilter } from "../../description/description.js";
import { dim } from "../../ir/dim.js";
import type { Value } from "../../ir/graph.js";
import { child, type GraphContext, type Scope } from "../context.js";
import { arrange, type Taps, twinOf } from "./layout.js";

export function lowerHankel(c: GraphContext, scope: Scope, filter: HankelFilter): Taps {
  const { b } = c;
  const basis = signed(c, fixed(c, scope, filter), filter.negative);
  const taps = (at: Scope): Value => {
    if (filter.mix === "none") return basis;
    const mix = c.parameter(at, "mix", [basis.type.shape[1]!.value!, filter.groups], "residues");
    return b.emit("matmul", { a: basis, b: mix }, {}, "taps");
  };
  return arrange(c, filter, taps(scope), twinOf(filter) ? taps(child(scope, "reverse")) : undefined);
}

/** b_n, [length, filters]. */
function fixed(c: GraphContext, scope: Scope, { basis, length, filters, matrix }: HankelFilter): Value {
  if (basis === "stored") return c.parameter(scope, "basis", [length, filters], "taps");
  const columns = hankelFilters(length, filters, matrix);
  const values = Array.from({ length: length * filters }, (_, at) => {
    return columns[at % filters]?.[Math.floor(at / filters)] ?? 0;
  });
  return c.b.emit("literal", {}, { values, shape: [dim(length), dim(filters)] }, "spectral_filters");
}

function signed(c: GraphContext, basis: Value, negative: HankelFilter["negative"]): Value {
  if (negative === "none") return basis;
  const { b } = c;
  const rows = basis.type.shape[0]!;
  const values = Array.from({ length: rows.value! }, (_, t) => (t % 2 === 0 ? 1 : -1));
  const signs = b.emit("literal", {}, { values, shape: [rows, dim(1)] }, "signs");
  const flipped = b.emit("mul", { a: basis, b: signs }, {});
  return negative === "append"
    ? b.emit("concat", { xs: [basis, flipped] }, { axis: 1 })
    : b.emit("add", { a: basis, b: flipped }, {});
}

/** Filters s_n^(1/4) phi_n of `length` taps for the largest eigenvalues of Z, at most `count` of them, largest first. */
export function hankelFilters(length: number, count: number, matrix: HankelFilter["matrix"]): Float64Array[] {
  const { q, r } = orthogonalized(powers(length, matrix));
  const turned = diagonalized(r);
  return turned
    .map(({ row, turn }) => {
      const size = Math.sqrt(dot(row, row));
      const phi = Float64Array.from({ length }, (_, t) => turn.reduce((sum, u, k) => sum + u * q[k]![t]!, 0));
      const first = Math.abs(phi[0]!) >= Math.abs(phi[1] ?? 0) ? phi[0]! : phi[1]!;
      // The eigenvalue is size^2.
      return { size, phi: phi.map((v) => v * Math.sqrt(size) * (first < 0 ? -1 : 1)) };
    })
    .sort((x, y) => y.size - x.size)
    .slice(0, count)
    .map(({ phi }) => phi);
}

/** The columns of A: sqrt(w(a) da) a^t, a at Gauss points of panels that halve towards 1, where long powers live. */
function powers(length: number, matrix: HankelFilter["matrix"]): Float64Array[] {
  const rule = gaussLegendre(24);
  const columns: Float64Array[] = [];
  let top = 1;
  for (let last = false; !last; top /= 2) {
    last = top < 1 / (64 * length);
    const bottom = last ? 0 : top / 2;
    for (const { x, weight } of rule) {
      // u = 1 - a, so that powers near 1 keep their digits.
      const u = bottom + ((top - bottom) * (1 + x)) / 2;
      const root = Math.sqrt((weight * (top - bottom)) / 2) * (matrix === "standard" ? u : u * (2 - u));
      const column = Float64Array.from({ length }, (_, t) => root * Math.exp(t * Math.log1p(-u)));
      columns.push(column);
      if (matrix === "alternating") columns.push(column.map((v, t) => (t % 2 === 0 ? v : -v)));
    }
  }
  return columns;
}

/** Points and weights of the rule on [-1, 1], by Newton's method on the Legendre polynomial. */
function gaussLegendre(n: number): { readonly x: number; readonly weight: number }[] {
  return Array.from({ length: n }, (_, i) => {
    let x = Math.cos((Math.PI * (i + 0.75)) / (n + 0.5));
    let slope = 1;
    for (let step = 0; step < 8; step++) {
      let [before, p] = [0, 1];
      for (let k = 0; k < n; k++) [before, p] = [p, ((2 * k + 1) * x * p - k * before) / (k + 1)];
      slope = (n * (x * p - before)) / (x * x - 1);
      x -= p / slope;
    }
    return { x, weight: 2 / ((1 - x * x) * slope * slope) };
  });
}

/** A = Q R, the largest remaining column first, to 1e-14 of the first: the columns of Q, the rows of R. */
function orthogonalized(columns: readonly Float64Array[]): { q: Float64Array[]; r: Float64Array[] } {
  const left = columns.map((column) => column.slice());
  const q: Float64Array[] = [];
  const r: Float64Array[] = [];
  const rank = Math.min(columns[0]!.length, columns.length);
  let largest = 0;
  while (q.length < rank) {
    const sizes = left.map((column) => dot(column, column));
    const most = sizes.reduce((best, size, j) => (size > sizes[best]! ? j : best), 0);
    largest ||= sizes[most]!;
    if (sizes[most]! <= 1e-28 * largest) break;
    let unit = left[most]!;
    // What rounding left of the earlier directions grows as the remainder is made a unit, so they are taken out again.
    for (let pass = 0; pass < 3; pass++) {
      const direction = unit.slice();
      for (const other of q) subtract(direction, other, dot(direction, other));
      const size = Math.sqrt(dot(direction, direction));
      unit = direction.map((v) => v / size);
    }
    r.push(
      Float64Array.from(left, (column) => {
        const part = dot(column, unit);
        subtract(column, unit, part);
        return part;
      }),
    );
    q.push(unit);
  }
  return { q, r };
}

/** Rows turned until they are orthogonal (one-sided Jacobi), and the turn of each: row = sum_k turn[k] r[k]. */
function diagonalized(r: readonly Float64Array[]): { row: Float64Array; turn: Float64Array }[] {
  const rows = r.map((row, i) => ({
    row: row.slice(),
    turn: Float64Array.from(r, (_, k) => (k === i ? 1 : 0)),
  }));
  for (let sweep = 0, moved = true; moved && sweep < 60; sweep++) {
    moved = false;
    for (let i = 0; i < rows.length; i++)
      for (let j = i + 1; j < rows.length; j++) {
        const [x, y] = [rows[i]!, rows[j]!];
        const [xx, yy, xy] = [dot(x.row, x.row), dot(y.row, y.row), dot(x.row, y.row)];
        if (Math.abs(xy) <= 1e-15 * Math.sqrt(xx * yy)) continue;
        moved = true;
        const zeta = (yy - xx) / (2 * xy);
        const tangent = (zeta < 0 ? -1 : 1) / (Math.abs(zeta) + Math.hypot(1, zeta));
        const cosine = 1 / Math.hypot(1, tangent);
        for (const [a, b] of [
          [x.row, y.row],
          [x.turn, y.turn],
        ] as const)
          for (let k = 0; k < a.length; k++)
            [a[k], b[k]] = [cosine * (a[k]! - tangent * b[k]!), cosine * (b[k]! + tangent * a[k]!)];
      }
  }
  return rows;
}

function dot(x: Float64Array, y: Float64Array): number {
  let sum = 0;
  for (let k = 0; k < x.length; k++) sum += x[k]! * y[k]!;
  return sum;
}

/** x <- x - factor y. */
function subtract(x: Float64Array, y: Float64Array, factor: number): void {
  for (let k = 0; k < x.length; k++) x[k]! -= factor * y[k]!;
}
