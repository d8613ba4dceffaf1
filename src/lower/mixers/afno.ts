// A network on every frequency (Guibas et al. 2022, AFNO): Z = softshrink(W_n .. f(W_1 X + b_1) .. + b_n), W complex and
// block-diagonal, f and the shrinkage on real and imaginary parts apart. Transforms are orthonormal and never padded.
//   half  X = rfft(x), y = irfft(Z)                    full  X = fft(x), y = Re ifft(Z)
// They differ where f does: Z of a bin and of its twin are not conjugate, and full averages both.

import type { AfnoMixer } from "../../description/description.js";
import { type Dim, dim, product } from "../../ir/dim.js";
import type { Value } from "../../ir/graph.js";
import { type Complex, ComplexOps } from "../complex.js";
import type { GraphContext, Scope } from "../context.js";
import { activate, lastExtent, softShrink } from "../layers.js";

export function lowerAfno(c: GraphContext, scope: Scope, x: Value, mixer: AfnoMixer): Value {
  const { b } = c;
  const length = c.lowering.sequence;
  const width = lastExtent(x);
  const [batch] = x.type.shape as [Dim];
  const full = mixer.spectrum === "full";
  // Modes that are not kept are zero before and after the shrinkage, so they are never computed.
  const bins = full ? length : Math.floor((Math.floor(length / 2) + 1) * mixer.kept);
  if (bins === 0) return mixer.residual ? x : b.emit("scale", { x }, { factor: 0 });
  const size = width / mixer.blocks;
  const split = [product([batch, dim(bins)]), dim(mixer.blocks), dim(size)];
  const forward = b.emit("dft_matrix", {}, { length, bins, direction: "forward" });
  const modes = b.emit("matmul", { a: forward, b: x }, {});
  const scaled = b.emit("scale", { x: modes }, { factor: 1 / Math.sqrt(length) });
  const byBlock = (start: number): Value => {
    const part = b.emit("slice", { x: scaled }, { axis: 1, start: dim(start), length: dim(bins) });
    const rows = b.emit("reshape", { x: part }, { shape: split });
    return b.emit("transpose", { x: rows }, { permutation: [1, 0, 2] });
  };
  const entered = overBlocks(c, { re: byBlock(0), im: byBlock(bins) }, mixer, 1);
  const shrunk = (y: Value): Value => softShrink(c, y, mixer.sparsity);
  const found = network(c, scope, entered, mixer);
  const { re, im } = overBlocks(c, { re: shrunk(found.re), im: shrunk(found.im) }, mixer, -1);
  const whole = (y: Value): Value => {
    const rows = b.emit("transpose", { x: y }, { permutation: [1, 0, 2] });
    return b.emit("reshape", { x: rows }, { shape: [batch, dim(bins), dim(width)] });
  };
  const both = b.emit("concat", { xs: [whole(re), whole(im)] }, { axis: 1 }, "mixed_modes");
  // Re ifft(Z)[t] = sum_k cos(..) re - sin(..) im: the forward matrix, read by columns.
  const y = full
    ? b.emit(
        "scale",
        { x: b.emit("matmul", { a: transposed(c, forward), b: both }, {}) },
        { factor: 1 / Math.sqrt(length) },
      )
    : b.emit(
        "scale",
        {
          x: b.emit(
            "matmul",
            { a: b.emit("dft_matrix", {}, { length, bins, direction: "inverse" }), b: both },
            {},
          ),
        },
        { factor: Math.sqrt(length) },
      );
  return mixer.residual ? b.emit("add", { a: x, b: y }, {}, "fourier_mixed") : y;
}

/** sum_j e^(-sign 2 pi i k j / n) z_j / sqrt(n) over the first axis, the n blocks, of [blocks, rows, size], if at all. */
function overBlocks(c: GraphContext, z: Complex, { blocks, over }: AfnoMixer, sign: 1 | -1): Complex {
  if (over === "positions" || blocks === 1) return z;
  const { b } = c;
  const ops = new ComplexOps(c);
  const matrix = b.emit("dft_matrix", {}, { length: blocks, bins: blocks, direction: "forward" });
  const { shape } = z.re.type;
  const flat = (x: Value): Value =>
    b.emit("reshape", { x }, { shape: [dim(blocks), product(shape.slice(1))] });
  const times = (start: number, x: Value): Value => {
    const part = b.emit("slice", { x: matrix }, { axis: 0, start: dim(start), length: dim(blocks) });
    return b.emit("reshape", { x: b.emit("matmul", { a: part, b: flat(x) }, {}) }, { shape });
  };
  const cosines: Complex = { re: times(0, z.re), im: times(0, z.im) };
  const [real, imaginary] = [times(blocks, z.re), times(blocks, z.im)];
  const sines: Complex = { re: b.emit("neg", { x: imaginary }, {}), im: real };
  const sum = sign === 1 ? ops.add(cosines, sines) : ops.sub(cosines, sines);
  return ops.scale(sum, 1 / Math.sqrt(blocks));
}

function transposed(c: GraphContext, x: Value): Value {
  return c.b.emit("transpose", { x }, { permutation: [1, 0] });
}

/** Layers w1, b1 .. wn, bn on [blocks, rows, size]; the activation after each, the last one's own after the last. */
function network(c: GraphContext, scope: Scope, x: Complex, mixer: AfnoMixer): Complex {
  const size = lastExtent(x.re);
  let y = x;
  for (let k = 1; k <= mixer.layers; k++) {
    const last = k === mixer.layers;
    y = complexLayer(c, scope, y, { k, blocks: mixer.blocks, out: last ? size : size * mixer.expansion });
    const activation = last ? mixer.final_activation : mixer.activation;
    y = { re: activate(c, y.re, activation), im: activate(c, y.im, activation) };
  }
  return y;
}

/** (W_re + i W_im) (x_re + i x_im) + b, parameters w{k} [2, blocks, in, out] and b{k} [2, blocks, out]. */
function complexLayer(
  c: GraphContext,
  scope: Scope,
  { re, im }: Complex,
  { k, blocks, out }: { readonly k: number; readonly blocks: number; readonly out: number },
): Complex {
  const { b } = c;
  const from = lastExtent(re);
  const weights = c.parameter(scope, `w${k}`, [2, blocks, from, out], "linear");
  const biases = c.parameter(scope, `b${k}`, [2, blocks, out], "bias");
  const part = (x: Value, i: number, shape: readonly number[]): Value => {
    const one = b.emit("slice", { x }, { axis: 0, start: dim(i), length: dim(1) });
    return b.emit("reshape", { x: one }, { shape: shape.map((extent) => dim(extent)) });
  };
  const times = (a: Value, i: number): Value =>
    b.emit("matmul", { a, b: part(weights, i, [blocks, from, out]) }, {});
  const plus = (a: Value, i: number): Value => b.emit("add", { a, b: part(biases, i, [blocks, 1, out]) }, {});
  return {
    re: plus(b.emit("sub", { a: times(re, 0), b: times(im, 1) }, {}), 0),
    im: plus(b.emit("add", { a: times(im, 0), b: times(re, 1) }, {}), 1),
  };
}
