// Decisions: argmax, nearest row, comparisons, truncation. They are exact or flipped, and a flip is honest when
// the two sides are nearer than what rounding may move them: |margin| <= what the operands' tolerances allow.

import type { Op } from "../ir/graph.js";
import { lines, map2 } from "../ir/loops.js";
import type { Tensor } from "../ir/tensor.js";

/** One decision that came out differently. */
export interface Flip {
  /** Flat index into the result. */
  readonly index: number;
  readonly actual: number;
  readonly expected: number;
  /** How far the reference was from deciding as the candidate did, in units of the deciding quantity. */
  readonly margin: number;
  /** Margins up to this are near ties. */
  readonly allowed: number;
}

/**
 * The decisions of `op` that differ, with their margins in the reference's operands. `tolerance` is the largest
 * honest error of a number of each operand (0: the operands are equal). An op that decides nothing can have no
 * near tie: its margins are infinite.
 */
export function flips(
  op: Op,
  operands: readonly (Tensor | undefined)[],
  actual: Tensor,
  expected: Tensor,
  tolerance: readonly number[],
): Flip[] {
  const decide = judges[op.name]?.(op, operands, tolerance) ?? notDeciding;
  const found: Flip[] = [];
  for (let i = 0; i < expected.data.length; i++) {
    const [a, b] = [actual.data[i]!, expected.data[i]!];
    if (a !== b) found.push({ index: i, actual: a, expected: b, ...decideSafely(decide, i, a, b) });
  }
  return found;
}

/** True for ops whose results are decisions. */
export function decides(op: Op): boolean {
  return Object.hasOwn(judges, op.name);
}

/** An exact tie of equal operands is no chance: the definition says which side wins. */
export function isNearTie({ margin, allowed }: Flip): boolean {
  return allowed > 0 && margin <= allowed;
}

type Decide = (index: number, actual: number, expected: number) => { margin: number; allowed: number };
type Judge = (op: Op, operands: readonly (Tensor | undefined)[], tolerance: readonly number[]) => Decide;

const notDeciding: Decide = () => ({ margin: Number.POSITIVE_INFINITY, allowed: 0 });

/** A margin that is no number (an index out of range) is no near tie. */
function decideSafely(decide: Decide, i: number, a: number, b: number): { margin: number; allowed: number } {
  const judged = decide(i, a, b);
  return Number.isNaN(judged.margin) ? { margin: Number.POSITIVE_INFINITY, allowed: judged.allowed } : judged;
}

const judges: Readonly<Record<string, Judge>> = {
  // x[expected] - x[actual]; both may move by the tolerance.
  argmax({ attributes }, [x], [tolerance]) {
    const starts: { start: number; stride: number }[] = [];
    lines(x!.shape, attributes.axis as number, 1, (start, to, stride) => {
      starts[to] = { start, stride };
    });
    return (index, actual, expected) => {
      const { start, stride } = starts[index]!;
      const margin =
        x!.data[start + expected * stride]! - valueAt(x!, start, stride, actual, attributes.axis as number);
      return { margin, allowed: 2 * tolerance! };
    };
  },
  // Of a chosen one, what it is above the largest that is not; of another, what it is below the least chosen.
  top_mask({ attributes }, [x], [tolerance]) {
    const k = attributes.k as number;
    const margins = new Float64Array(x!.data.length);
    lines(x!.shape, attributes.axis as number, x!.shape[attributes.axis as number]!, (start, _, stride) => {
      const n = x!.shape[attributes.axis as number]!;
      const sorted = Float64Array.from({ length: n }, (_, i) => x!.data[start + i * stride]!).sort();
      const least = sorted[n - k]!;
      const next = k < n ? sorted[n - k - 1]! : Number.NEGATIVE_INFINITY;
      for (let i = 0; i < n; i++) {
        const v = x!.data[start + i * stride]!;
        margins[start + i * stride] = v >= least ? v - next : least - v;
      }
    });
    return (index) => ({ margin: margins[index]!, allowed: 2 * tolerance! });
  },
  // |x - t[actual]|^2 - |x - t[expected]|^2 moves by 2 (t[actual] - t[expected]) . dx when x moves by dx; and the
  // squared distances are rounded like a product of `width` terms: u (2 + sqrt(width)) (|x| + |t|)^2 each.
  nearest_row(_, [x, table], [tolerance]) {
    const width = table!.shape[1]!;
    return (index, actual, expected) => {
      let margin = 0;
      let apart = 0;
      let size = 0;
      for (let c = 0; c < width; c++) {
        const v = x!.data[index * width + c]!;
        const a = table!.data[actual * width + c] ?? Number.NaN;
        const b = table!.data[expected * width + c]!;
        margin += (v - a) ** 2 - (v - b) ** 2;
        apart += (a - b) ** 2;
        size += v * v + Math.max(a * a, b * b);
      }
      const rounding = 2 * 2 ** -24 * (2 + Math.sqrt(width)) * 2 * size;
      return { margin, allowed: 2 * Math.sqrt(apart * width) * tolerance! + rounding };
    };
  },
  less: (_, [a, b], tolerance) => between(a!, b!, tolerance),
  equal: (_, [a, b], tolerance) => between(a!, b!, tolerance),
  // Truncation flips at an integer, conversion to bool at 0.
  cast:
    ({ attributes }, [x], [tolerance]) =>
    (index) => {
      const v = x!.data[index]!;
      return { margin: Math.abs(attributes.to === "bool" ? v : v - Math.round(v)), allowed: tolerance! };
    },
};

function valueAt(x: Tensor, start: number, stride: number, i: number, axis: number): number {
  return i >= 0 && i < x.shape[axis]! ? x.data[start + i * stride]! : Number.NaN;
}

/** |a - b| at an element of the broadcast result. */
function between(a: Tensor, b: Tensor, [ta, tb]: readonly number[]): Decide {
  const margins = map2(a, b, (x, y) => Math.abs(x - y));
  return (index) => ({ margin: margins.data[index]!, allowed: ta! + tb! });
}
