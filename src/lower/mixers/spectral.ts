// Mixers that work in the frequency domain and cannot be padded: their length is part of what they compute.

import type { AfnoMixer } from "../../description/description.js";
import { dim, product } from "../../ir/dim.js";
import type { Value } from "../../ir/graph.js";
import type { GraphContext, Scope } from "../context.js";
import { lastExtent, softShrink } from "../layers.js";

/**
 * Re(FFT over positions (FFT over channels x)), unnormalised (Lee-Thorp et al. 2022, FNet). With C and -S the rows of
 * the transforms' matrices: u = x C_d, v = -x S_d, y = C_L u - (-S_L) v.
 */
export function lowerFnet(c: GraphContext, _scope: Scope, x: Value): Value {
  const { b } = c;
  const { sequence } = c.lowering;
  const width = lastExtent(x);
  const forward = (length: number, start: number): Value => {
    const matrix = b.emit("dft_matrix", {}, { length, bins: length, direction: "forward" });
    return b.emit("slice", { x: matrix }, { axis: 0, start: dim(start), length: dim(length) });
  };
  const channels = (start: number): Value =>
    b.emit("matmul", { a: x, b: forward(width, start) }, { transpose_b: true });
  const positions = (start: number, y: Value): Value =>
    b.emit("matmul", { a: forward(sequence, start), b: y }, {});
  return b.emit(
    "sub",
    { a: positions(0, channels(0)), b: positions(sequence, channels(width)) },
    {},
    "fourier_mixed",
  );
}

/** x + irfft(softshrink(W2 relu(W1 rfft(x) + b1) + b2)), orthonormal transforms (Guibas et al. 2022, AFNO). */
export function lowerAfno(c: GraphContext, scope: Scope, x: Value, mixer: AfnoMixer): Value {
  const { b } = c;
  const length = c.lowering.sequence;
  const width = lastExtent(x);
  const [batch] = x.type.shape;
  // Modes that are not kept are zero before and after the shrinkage, so they are never computed.
  const bins = Math.floor((Math.floor(length / 2) + 1) * mixer.kept);
  if (bins === 0) return x;
  const size = width / mixer.blocks;
  const hidden = size * mixer.expansion;
  const rows = product([batch!, dim(bins)]);
  const forward = b.emit("dft_matrix", {}, { length, bins, direction: "forward" });
  const modes = b.emit(
    "scale",
    { x: b.emit("matmul", { a: forward, b: x }, {}) },
    { factor: 1 / Math.sqrt(length) },
  );
  const part = (start: number): Value =>
    b.emit(
      "transpose",
      {
        x: b.emit(
          "reshape",
          { x: b.emit("slice", { x: modes }, { axis: 1, start: dim(start), length: dim(bins) }) },
          { shape: [rows, dim(mixer.blocks), dim(size)] },
        ),
      },
      { permutation: [1, 0, 2] },
    );
  const layer = (
    name: string,
    [re, im]: readonly [Value, Value],
    from: number,
    to: number,
  ): [Value, Value] => {
    const one = (kind: string, shape: readonly number[], init: "linear" | "bias", i: number): Value =>
      b.emit(
        "reshape",
        {
          x: b.emit(
            "slice",
            { x: c.parameter(scope, `${kind}${name}`, [2, ...shape], init) },
            { axis: 0, start: dim(i), length: dim(1) },
          ),
        },
        { shape: (init === "bias" ? [shape[0]!, 1, shape[1]!] : shape).map((extent) => dim(extent)) },
      );
    const weight = (i: number): Value => one("w", [mixer.blocks, from, to], "linear", i);
    const bias = (i: number): Value => one("b", [mixer.blocks, to], "bias", i);
    const times = (a: Value, i: number): Value => b.emit("matmul", { a, b: weight(i) }, {});
    const real = b.emit("sub", { a: times(re, 0), b: times(im, 1) }, {});
    const imaginary = b.emit("add", { a: times(im, 0), b: times(re, 1) }, {});
    return [b.emit("add", { a: real, b: bias(0) }, {}), b.emit("add", { a: imaginary, b: bias(1) }, {})];
  };
  const relu = (y: Value): Value => b.emit("relu", { x: y }, {});
  const [re1, im1] = layer("1", [part(0), part(bins)], size, hidden);
  const [re2, im2] = layer("2", [relu(re1), relu(im1)], hidden, size);
  const whole = (y: Value): Value =>
    b.emit(
      "reshape",
      { x: b.emit("transpose", { x: softShrink(c, y, mixer.sparsity) }, { permutation: [1, 0, 2] }) },
      { shape: [batch!, dim(bins), dim(width)] },
    );
  const both = b.emit("concat", { xs: [whole(re2), whole(im2)] }, { axis: 1 }, "mixed_modes");
  const back = b.emit("dft_matrix", {}, { length, bins, direction: "inverse" });
  const y = b.emit("scale", { x: b.emit("matmul", { a: back, b: both }, {}) }, { factor: Math.sqrt(length) });
  return b.emit("add", { a: x, b: y }, {}, "fourier_mixed");
}
