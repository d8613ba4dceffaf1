// The real-packed circular transform: plain bins exp(-2 pi i k / M), of which a real line has M/2 + 1, two of
// them real. Those two share one complex slot: stages have uniform shapes, and half the right-angle form's work.

import {
  binRow,
  childCount,
  found,
  groupCount,
  type MatrixStack,
  points,
  rest,
  stackFor,
  stageScale,
  stageShape,
  type Transform,
  writeBinWeights,
} from "./transform.js";

/** One complex slot after a stage that has found P bins: a bin, or the pair of real bins 0 and P/2. */
export interface Slot {
  readonly bin: number;
  readonly isPair: boolean;
}

/** A slot that grows out of the pair's real lines: which of the two (0: bin 0, 1: bin P/2) it comes from. */
interface PairChild extends Slot {
  readonly from: 0 | 1;
}

/**
 * Slots made from the pair (bin 0, bin P/2), both real lines, by N further points. From bin 0 come 0 and the
 * P k below P N / 2; from bin P/2 the P/2 + P k below it; each conjugate is left out. Bin P N / 2 is real and
 * joins bin 0 as the new pair; it comes from bin 0 when N is even, else from bin P/2.
 */
function pairChildren(P: number, factor: number): PairChild[] {
  const half = (P * factor) / 2;
  const children: PairChild[] = [{ bin: 0, isPair: true, from: 0 }];
  for (let k = 1; P * k < half; k++) children.push({ bin: P * k, isPair: false, from: 0 });
  if (P === 1) return children;
  for (let bin = P / 2; bin < half; bin += P) children.push({ bin, isPair: false, from: 1 });
  return children;
}

/** Slots before the 0-based stage, in the data's order. Before stage 0 there is the line itself. */
export function packedSlots({ factors }: Transform, stage: number): Slot[] {
  let slots: Slot[] = [{ bin: 0, isPair: true }];
  let P = 1;
  for (const factor of factors.slice(0, stage)) {
    slots = slots.flatMap((slot): Slot[] =>
      slot.isPair
        ? pairChildren(P, factor)
        : Array.from({ length: factor }, (_, k) => ({ bin: slot.bin + P * k, isPair: false })),
    );
    P *= factor;
  }
  return slots;
}

/** cos and sin of 2 pi bin time / M, the angle reduced in integers first. */
function turn(bin: number, time: number, M: number): { cos: number; sin: number } {
  const angle = (2 * Math.PI * ((bin * time) % M)) / M;
  return { cos: Math.cos(angle), sin: Math.sin(angle) };
}

interface StageFacts {
  readonly M: number;
  /** Bins found before the stage. */
  readonly P: number;
  readonly factor: number;
  /** Digits that carry data. */
  readonly digits: number;
  readonly inner: number;
}

function factsOf(transform: Transform, stage: number): StageFacts {
  const factor = transform.factors[stage]!;
  const digits = stage === 0 ? transform.rows : factor;
  return { M: points(transform), P: found(transform, stage), factor, digits, inner: rest(transform, stage) };
}

/** Which of the pair's two lines the real bin P N / 2 comes from. */
function halfComesFrom({ P, factor }: StageFacts): 0 | 1 {
  return factor % 2 === 0 || P === 1 ? 0 : 1;
}

/** Forward stage s, as at a right angle for complex slots; rows of the pair read one real line each. */
export function packedForward(transform: Transform, stage: number): MatrixStack {
  const shape = stageShape(transform, stage, "forward");
  const stack = stackFor(shape);
  const facts = factsOf(transform, stage);
  const { M, P, digits, inner } = facts;
  const scale = stageScale(transform, stage, "forward");
  packedSlots(transform, stage).forEach((slot, group) => {
    const rowAt = (bin: number, part: 0 | 1) =>
      stack.data.subarray((group * shape.rows + binRow(transform, stage, bin, part)) * shape.columns);
    for (let n = 0; n < digits; n++) {
      if (slot.isPair) {
        pairChildren(P, facts.factor).forEach((child, k) => {
          const { cos, sin } = turn(child.bin, n * inner, M);
          const column = child.from * digits + n;
          rowAt(k, 0)[column] = scale * cos;
          if (!child.isPair) rowAt(k, 1)[column] = -scale * sin;
        });
        const half = turn((P * facts.factor) / 2, n * inner, M);
        rowAt(0, 1)[halfComesFrom(facts) * digits + n] = scale * half.cos;
        continue;
      }
      for (let k = 0; k < childCount(transform, stage); k++) {
        const { cos, sin } = turn(slot.bin + P * k, n * inner, M);
        const re = rowAt(k, 0);
        const im = rowAt(k, 1);
        re[n] = scale * cos;
        im[n] = -scale * sin;
        re[digits + n] = scale * sin;
        im[digits + n] = scale * cos;
      }
    }
  });
  return stack;
}

/** Inverse stage s: a slot grown from a real line stands for itself and its conjugate, hence the weight 2. */
export function packedInverse(transform: Transform, stage: number): MatrixStack {
  const shape = stageShape(transform, stage, "inverse");
  const stack = stackFor(shape);
  const facts = factsOf(transform, stage);
  const { M, P, digits, inner } = facts;
  const scale = stageScale(transform, stage, "inverse");
  packedSlots(transform, stage).forEach((slot, group) => {
    const rowAt = (row: number) => stack.data.subarray((group * shape.rows + row) * shape.columns);
    for (let n = 0; n < digits; n++) {
      if (slot.isPair) {
        for (const line of groupCount(transform, stage) === 1 && stage === 0 ? [0] : [0, 1]) {
          const row = rowAt(line * digits + n);
          pairChildren(P, facts.factor).forEach((child, k) => {
            const { cos, sin } = turn(child.bin, n * inner, M);
            if (!child.isPair) {
              if (child.from !== line) return;
              writeBinWeights(transform, stage, row, k, 2 * scale * cos, -2 * scale * sin);
              return;
            }
            const half = turn((P * facts.factor) / 2, n * inner, M);
            const ofZero = line === 0 ? scale * cos : 0;
            const ofHalf = line === halfComesFrom(facts) ? scale * half.cos : 0;
            writeBinWeights(transform, stage, row, k, ofZero, ofHalf, true);
          });
        }
        continue;
      }
      for (let k = 0; k < childCount(transform, stage); k++) {
        const { cos, sin } = turn(slot.bin + P * k, n * inner, M);
        writeBinWeights(transform, stage, rowAt(n), k, scale * cos, -scale * sin);
        writeBinWeights(transform, stage, rowAt(digits + n), k, scale * sin, scale * cos);
      }
    }
  });
  return stack;
}
