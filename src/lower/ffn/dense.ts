// Feed-forward networks: dense and gated, with full or block-diagonal matrices.

import type { DenseFeedForward, GluFeedForward, LinearStructure } from "../../description/description.js";
import { dim, product } from "../../ir/dim.js";
import type { Value } from "../../ir/graph.js";
import { child, type GraphContext, type Scope } from "../context.js";
import { activate, chunks, lastExtent, linear } from "../layers.js";

export function lowerLayers(
  c: GraphContext,
  scope: Scope,
  x: Value,
  ffn: DenseFeedForward | GluFeedForward,
): Value {
  const width = lastExtent(x);
  const layer = (name: string, input: Value, out: number, bias: boolean): Value =>
    structured(c, child(scope, name), input, out, bias, ffn.structure);
  return c.b.at(scope.pointer, () => {
    if (ffn.kind === "dense")
      return layer(
        "down",
        activate(c, layer("up", x, ffn.hidden, ffn.bias.up), ffn.activation),
        width,
        ffn.bias.down,
      );
    const [gate, up] = ffn.fused
      ? (chunks(
          c,
          layer("gate_up", x, 2 * ffn.hidden, ffn.bias.up),
          [ffn.hidden, ffn.hidden],
          ["gate", "up"],
        ) as [Value, Value])
      : [layer("gate", x, ffn.hidden, ffn.bias.up), layer("up", x, ffn.hidden, ffn.bias.up)];
    const hidden = c.b.emit("mul", { a: activate(c, gate, ffn.activation), b: up }, {});
    return layer("down", hidden, width, ffn.bias.down);
  });
}

/** A layer whose matrix is full or block-diagonal. */
export function structured(
  c: GraphContext,
  scope: Scope,
  x: Value,
  out: number,
  bias: boolean,
  structure: LinearStructure,
): Value {
  return structure.kind === "dense"
    ? linear(c, scope, x, out, bias)
    : blockDiagonal(c, scope, x, out, bias, structure.blocks);
}

/**
 * y[k q + r] = sum_p weight[k, r, p] x[k P + p], P = ceil(in/blocks), q = ceil(out/blocks); the input is
 * zero-padded to blocks P, the output cut to `out`, then the bias is added (m2 blockdiag_linear.py).
 */
function blockDiagonal(
  c: GraphContext,
  scope: Scope,
  x: Value,
  out: number,
  bias: boolean,
  blocks: number,
): Value {
  const { b } = c;
  const width = lastExtent(x);
  const [from, to] = [Math.ceil(width / blocks), Math.ceil(out / blocks)];
  const axis = x.type.shape.length - 1;
  const lead = x.type.shape.slice(0, -1);
  const rows = product(lead);
  const padded =
    width === blocks * from
      ? x
      : b.emit("pad", { x }, { axis, before: dim(0), after: dim(blocks * from - width) });
  const split = b.emit("reshape", { x: padded }, { shape: [rows, dim(blocks), dim(from)] });
  const byBlock = b.emit("transpose", { x: split }, { permutation: [1, 0, 2] });
  const weight = c.parameter(scope, "weight", [blocks, to, from], "linear");
  const y = b.emit("matmul", { a: byBlock, b: weight }, { transpose_b: true });
  const joined = b.emit(
    "reshape",
    { x: b.emit("transpose", { x: y }, { permutation: [1, 0, 2] }) },
    { shape: [...lead, dim(blocks * to)] },
  );
  const cut =
    out === blocks * to ? joined : b.emit("slice", { x: joined }, { axis, start: dim(0), length: dim(out) });
  return bias ? b.emit("add", { a: cut, b: c.parameter(scope, "bias", [out], "bias") }, {}) : cut;
}
