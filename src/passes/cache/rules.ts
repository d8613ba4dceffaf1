// What an op of @denoise becomes on the rows of one block. Most keep rows apart: they are the same op on s rows instead of
// L. The table says for each whether it does, and on which axis its result counts positions; attention, convolutions and
// rotary positions, which do not, have files of their own.

import { type Dim, dim, product } from "../../ir/dim.js";
import type { Op, Value } from "../../ir/graph.js";
import { definitionOf } from "../../ir/ops/index.js";
import { writeRope } from "../expand-rope.js";
import { attentionRows } from "./attention.js";
import { type BlockWriter, type Rows, single } from "./block-writer.js";
import { convolutionRows } from "./convolution.js";

/** The rows of an op's result; undefined where it is a part of the positions, which only `concat` may read. */
export type RowRule = (op: Op, c: BlockWriter) => Rows | undefined;

/** Writes the op's rows; it reads at least one value with rows. */
export function writeRows(op: Op, c: BlockWriter): void {
  const rule = rules[op.name] ?? (definitionOf(op.name)!.fusion === "elementwise" ? elementwise : undefined);
  const [result] = op.results;
  if (rule === undefined || op.results.length !== 1) return void c.refuse(op, "it has no rule");
  if (op.name !== "concat" && op.operands.some((v) => c.isPart(v)))
    return void c.refuse(op, "it reads some positions only");
  const rows = rule(op, c);
  if (rows === undefined) c.setPart(result!);
  else c.setRows(result!, rows);
}

const shapeOf = (value: Value): readonly Dim[] => value.type.shape;

/** An operand beside rows whose axis of positions is `fromEnd` axes from the end: repeated, or a table of positions. */
function beside(op: Op, c: BlockWriter, value: Value, fromEnd: number): Value {
  const axis = shapeOf(value).length - fromEnd;
  if (axis < 0 || shapeOf(value)[axis]!.value === 1) return c.block.copy(value);
  if (axis > 0 || shapeOf(value)[axis]!.value !== c.length)
    return c.refuse(op, "it combines rows with a value that is no table of positions");
  return c.atPositions(value);
}

/** The same op on rows that are aligned from the end. */
const elementwise: RowRule = (op, c) => {
  const all = op.operands.flatMap((v) => {
    const rows = c.rowsOf(v);
    return rows === undefined ? [] : [{ ...rows, fromEnd: shapeOf(v!).length - rows.axis }];
  });
  const [first, ...others] = all as [(typeof all)[0], ...typeof all];
  if (others.some(({ fromEnd, outer }) => fromEnd !== first.fromEnd || !outer.equals(first.outer)))
    return c.refuse(op, "its operands count positions along different axes");
  const operands = op.operands.map((v) => v && (c.rowsOf(v)?.value ?? beside(op, c, v, first.fromEnd)));
  const value = c.block.emitLike(op, operands);
  return { value, axis: shapeOf(value).length - first.fromEnd, outer: first.outer };
};

/** The first operand's rows through an op whose other operands are the same for all; `mixes` says which axis it mixes. */
function firstOperand(mixes: (op: Op, x: Value) => number): RowRule {
  return (op, c) => {
    const [x, ...others] = op.operands as readonly [Value, ...(Value | undefined)[]];
    const rows = c.rowsOf(x);
    if (rows === undefined || others.some((v) => c.rowsOf(v) !== undefined))
      return c.refuse(op, "it has rows where weights are expected");
    if (mixes(op, x) === rows.axis) return c.refuse(op, "it mixes positions");
    const value = c.block.emitLike(op, [rows.value, ...others.map((v) => v && c.block.copy(v))]);
    const removed = op.attributes.keepdims === false || op.name === "argmax" ? 1 : 0;
    const before = removed > 0 && mixes(op, x) < rows.axis ? 1 : 0;
    return { ...rows, value, axis: rows.axis - before };
  };
}

const alongLast = firstOperand((_, x) => shapeOf(x).length - 1);
const alongAxis = firstOperand((op) => op.attributes.axis as number);

/** Rows times a matrix that is the same for all. */
const matmul: RowRule = (op, c) => {
  const [a, b] = op.operands as readonly [Value, Value];
  const rows = c.rowsOf(a);
  const last = shapeOf(a).length - 1;
  if (rows === undefined || c.rowsOf(b) !== undefined || rows.axis === last)
    return c.refuse(op, "it mixes positions");
  const matching = shapeOf(b)[shapeOf(b).length - (last + 1 - rows.axis)];
  if (rows.axis < last - 1 && matching !== undefined && matching.value !== 1)
    return c.refuse(op, "every position has its own matrix");
  const value = c.block.emitLike(op, [rows.value, c.block.copy(b)]);
  return { ...rows, value, axis: rows.axis + shapeOf(value).length - (last + 1) };
};

/** As many numbers lie below the axis of positions after as before; of several such axes, the one that counts nothing else. */
const reshape: RowRule = (op, c) => {
  const [x] = op.operands as readonly [Value];
  const rows = c.rowsOf(x)!;
  const shape = op.attributes.shape as readonly Dim[];
  const below = product(shapeOf(x).slice(rows.axis + 1));
  const fitting = shape.flatMap((extent, axis) => {
    const outer = product(shape.slice(axis + 1)).equals(below) ? extent.dividedBy(dim(c.length)) : undefined;
    return outer === undefined ? [] : [{ axis, outer }];
  });
  const found = fitting.find(({ outer }) => outer.value === 1) ?? fitting[0];
  if (found === undefined) return c.refuse(op, "it takes positions apart");
  const resized = shape.map((extent, k) => (k === found.axis ? found.outer.times(c.size) : extent));
  return { ...found, value: c.block.emitLike(op, [rows.value], { shape: resized }) };
};

const transpose: RowRule = (op, c) => {
  const rows = c.rowsOf(op.operands[0])!;
  const axis = (op.attributes.permutation as readonly number[]).indexOf(rows.axis);
  return { ...rows, value: c.block.emitLike(op, [rows.value]), axis };
};

const broadcast: RowRule = (op, c) => {
  const rows = c.rowsOf(op.operands[0])!;
  const shape = op.attributes.shape as readonly Dim[];
  const axis = rows.axis + shape.length - shapeOf(op.operands[0]!).length;
  const resized = shape.map((extent, k) => (k === axis ? rows.outer.times(c.size) : extent));
  return { ...rows, value: c.block.emitLike(op, [rows.value], { shape: resized }), axis };
};

/** Rows of a table by rows of indices. */
const take: RowRule = (op, c) => {
  const [table, indices] = op.operands as readonly [Value, Value];
  const rows = c.rowsOf(indices);
  if (rows === undefined || c.rowsOf(table) !== undefined) return c.refuse(op, "it reads positions by index");
  return { ...rows, value: c.block.emitLike(op, [c.block.copy(table), rows.value]) };
};

/** Along another axis: the same slice. Of positions: read by `concat` alone, which says what it means. */
const slice: RowRule = (op, c) =>
  c.rowsOf(op.operands[0])!.axis === op.attributes.axis ? undefined : alongAxis(op, c);

/** Side by side, or the logit shift: the first row, and all but the last. */
const concat: RowRule = (op, c) => {
  const rows = op.operands.map((v) => c.rowsOf(v));
  const [first] = rows;
  if (first !== undefined && first.axis !== op.attributes.axis && rows.every((r) => r?.axis === first.axis))
    return {
      ...first,
      value: c.block.emitLike(
        op,
        rows.map((r) => r!.value),
      ),
    };
  const source = shifted(op, c);
  return source === undefined ? c.refuse(op, "it moves positions") : shiftRows(op, c, source);
};

/** x of concat(x[:, 0:1], x[:, 0:L-1]); undefined for anything else. */
function shifted(op: Op, c: BlockWriter): Value | undefined {
  const parts = op.operands.map((v) => c.block.producer(v!));
  const [one, rest] = parts;
  const source = one?.operands[0];
  const isPart = (part: Op | undefined, count: number): boolean =>
    part?.name === "slice" &&
    part.operands[0] === source &&
    part.attributes.axis === 1 &&
    (part.attributes.start as Dim).value === 0 &&
    (part.attributes.length as Dim).value === count;
  const fits = parts.length === 2 && op.attributes.axis === 1 && isPart(one, 1) && isPart(rest, c.length - 1);
  return fits && c.rowsOf(source)?.axis === 1 ? source : undefined;
}

/** y[t] = x[t - 1], y[0] = x[0]: the row before the block is kept. */
function shiftRows(op: Op, c: BlockWriter, source: Value): Rows {
  const { b } = c.block;
  return b.at(op.loc.pointer, () => {
    const own = c.lineOf(op, source);
    const before = c.tail(c.name("shift"), own, 1);
    const part = (count: number): Value =>
      b.emit("slice", { x: own }, { axis: 1, start: dim(0), length: dim(count) });
    const one = b.emit("constant", {}, { value: 1, element: "i32" });
    const isFirst = b.emit("less", { a: c.block.start, b: one }, {}, "is_first");
    const first = b.emit("where", { condition: isFirst, a: part(1), b: before }, {});
    const value =
      c.size === 1 ? first : b.emit("concat", { xs: [first, part(c.size - 1)] }, { axis: 1 }, "shifted");
    return { value, axis: 1, outer: single };
  });
}

const rope: RowRule = (op, c) => {
  const { b } = c.block;
  const x = c.lineOf(op, op.operands[0]!);
  const value = b.at(op.loc.pointer, () =>
    writeRope(b, x, op.attributes as never, {
      count: dim(c.whole),
      rows: (table) => b.emit("take", { table, indices: c.block.positions }, {}),
    }),
  );
  return { value, axis: 1, outer: single };
};

const rules: Readonly<Record<string, RowRule>> = {
  linear: alongLast,
  layer_norm: alongLast,
  rms_norm: alongLast,
  l2_normalize: alongLast,
  softmax: alongAxis,
  argmax: alongAxis,
  top_mask: alongAxis,
  reduce_sum: alongAxis,
  reduce_mean: alongAxis,
  reduce_max: alongAxis,
  pad: alongAxis,
  reverse: alongAxis,
  matmul,
  reshape,
  transpose,
  broadcast,
  take,
  slice,
  concat,
  rope,
  attention: attentionRows,
  long_conv: convolutionRows,
};
