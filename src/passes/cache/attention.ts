// Attention of a block's queries: over the kept keys of settled positions and the block's own. The kept ones lie in place,
// so their scores and means are products of their own:
//   p = softmax([scale q K^T where j < start, scale q k^T where the mask sees it]),  y = p_1 V + p_2 v

import { type Dim, dim } from "../../ir/dim.js";
import type { Op, Value } from "../../ir/graph.js";
import { type AttentionMask, sees } from "../../ir/ops/attention.js";
import type { AttributeValues } from "../../ir/ops/index.js";
import { type BlockWriter, type Rows, single } from "./block-writer.js";

/** A score whose exp is 0 in every float format, and which no target has to write as an infinity. */
const hidden = -1e30;

export function attentionRows(op: Op, c: BlockWriter): Rows {
  const attributes = op.attributes as unknown as AttributeValues<"attention">;
  const { mask, span } = attributes;
  if (mask !== "causal" && mask !== "block_causal")
    return c.refuse(op, `its mask "${mask}" sees positions to come`);
  if (mask === "block_causal" && c.unit % span !== 0) return c.refuse(op, c.notWhole(span));
  const [query, key, value, visible, bias] = op.operands as readonly [Value, Value, Value, ...Value[]];
  if (bias !== undefined) return c.refuse(op, "its scores have a bias by distance");
  if (visible !== undefined) return c.refuse(op, "its keys are not the sequence's");
  const { b } = c.block;
  const [q, k, v] = [query, key, value].map((operand) => c.lineOf(op, operand)) as [Value, Value, Value];
  return b.at(op.loc.pointer, () => ({ value: attend(c, attributes, q, k, v), axis: 1, outer: single }));
}

function attend(
  c: BlockWriter,
  { heads, kv_heads, scale, ...mask }: AttributeValues<"attention">,
  q: Value,
  k: Value,
  v: Value,
): Value {
  const { b } = c.block;
  const [batch, , width] = q.type.shape as [Dim, Dim, Dim];
  const size = width.value! / heads;
  const rows = (heads / kv_heads) * c.size;
  const reshape = (x: Value, ...shape: readonly (Dim | number)[]): Value =>
    b.emit("reshape", { x }, { shape: shape.map(dim) });
  /** [B, n, heads size] -> [B, heads, n, size]. */
  const byHead = (x: Value, n: number, count: number): Value =>
    b.emit("transpose", { x: reshape(x, batch, n, count, size) }, { permutation: [0, 2, 1, 3] });
  const product = (a: Value, x: Value, transposed: boolean): Value =>
    b.emit("matmul", { a, b: x }, { transpose_b: transposed });

  const settledKeys = byHead(c.keep(c.name("k"), k, c.block), c.capacity, kv_heads);
  const settledValues = byHead(c.keep(c.name("v"), v, c.block), c.capacity, kv_heads);
  const scaled = scale === 1 ? q : b.emit("scale", { x: q }, { factor: scale });
  // The query heads that share a key head are rows of one product.
  const queries = reshape(byHead(scaled, c.size, heads), batch, kv_heads, rows, size);
  const low = b.emit("constant", {}, { value: hidden }, "hidden");
  const where = (condition: Value | undefined, scores: Value): Value =>
    condition === undefined ? scores : b.emit("where", { condition, a: scores, b: low }, {});
  const before = where(c.block.settled(c.capacity), product(queries, settledKeys, true));
  const inside = where(c.inside(), product(queries, byHead(k, c.size, kv_heads), true));
  const own = where(seenWithin(c, mask, rows), inside);
  const scores = b.emit("concat", { xs: [before, own] }, { axis: 3 });
  const weights = b.emit("softmax", { x: scores }, { axis: 3 }, "attention_weights");
  const part = (start: number, length: number): Value =>
    b.emit("slice", { x: weights }, { axis: 3, start: dim(start), length: dim(length) });
  const mixed = b.emit(
    "add",
    {
      a: product(part(0, c.capacity), settledValues, false),
      b: product(part(c.capacity, c.size), byHead(v, c.size, kv_heads), false),
    },
    {},
  );
  const back = b.emit(
    "transpose",
    { x: reshape(mixed, batch, heads, c.size, size) },
    { permutation: [0, 2, 1, 3] },
  );
  return b.emit("reshape", { x: back }, { shape: q.type.shape }, "attention");
}

/** bool[rows, s]: whether the query of a row sees a key of its own block; undefined where every one sees all. */
function seenWithin(c: BlockWriter, mask: AttentionMask, rows: number): Value | undefined {
  const { b } = c.block;
  const visible = sees(mask, c.size);
  const values = Array.from({ length: rows * c.size }, (_, at) =>
    visible(Math.floor(at / c.size) % c.size, at % c.size) ? 1 : 0,
  );
  if (values.every((value) => value === 1)) return undefined;
  const table = b.emit("literal", {}, { values, shape: [dim(rows), dim(c.size)] });
  const zero = b.emit("constant", {}, { value: 0 });
  return b.emit("less", { a: zero, b: table }, {}, "seen");
}
