// Small random networks: the ops that models are made of, in random order, widths and depths.
import { Builder } from "../../src/ir/build.js";
import { Dim, dim } from "../../src/ir/dim.js";
import type { Module, Value } from "../../src/ir/graph.js";
import type { Tensor } from "../../src/ir/tensor.js";
import { type } from "../../src/ir/type.js";
import { randomTensor, weightsOf } from "./float32.js";

export interface RandomOptions {
  readonly seed: number;
  readonly depth: number;
  readonly length: number;
  readonly width: number;
}

/** @g(x: f32[B, L, D]) -> (logits, tokens); weights are as large as trained ones (1/sqrt(fan in)). */
export function randomModule({ seed, depth, length, width }: RandomOptions): Module {
  let state = seed * 2654435761;
  const draw = (n: number): number => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return Math.floor((((state >>> 8) & 0xffff) / 0x10000) * n);
  };
  const tensors: Record<string, Tensor> = {};
  const b = new Builder("g");
  const B = Dim.symbol("B");
  const weight = (shape: number[], size: number): Value => {
    const name = `w${Object.keys(tensors).length}`;
    tensors[name] = randomTensor(seed * 1000 + Object.keys(tensors).length, shape, size);
    return b.weight(name, shape.map(dim));
  };
  let x = b.input("x", type("f32", [B, length, width]));
  for (let layer = 0; layer < depth; layer++) {
    const linear = (v: Value, out: number, from = width): Value =>
      b.emit(
        "linear",
        { x: v, weight: weight([out, from], Math.sqrt(3 / from)), bias: weight([out], 0.5) },
        {},
      );
    switch (draw(9)) {
      case 0:
        x = b.emit(
          "add",
          {
            a: x,
            b: linear(
              b.emit("gelu", { x: linear(x, 2 * width) }, draw(2) === 0 ? {} : { approximate: "tanh" }),
              width,
              2 * width,
            ),
          },
          {},
        );
        break;
      case 1:
        x = b.emit(
          "layer_norm",
          { x, weight: weight([width], 1), bias: weight([width], 0.3) },
          { epsilon: 1e-5 },
        );
        break;
      case 2:
        x = b.emit("rms_norm", { x, weight: weight([width], 1) }, { epsilon: 1e-6 });
        break;
      case 3: {
        const heads = width % 4 === 0 ? 4 : 1;
        const y = b.emit(
          "attention",
          { q: linear(x, width), k: linear(x, width), v: linear(x, width) },
          {
            heads,
            kv_heads: heads,
            scale: 1 / Math.sqrt(width / heads),
            mask: draw(2) === 0 ? "full" : "causal",
          },
        );
        x = b.emit("add", { a: x, b: y }, {});
        break;
      }
      case 4: {
        const taps = 1 + draw(length);
        const y = b.emit(
          "long_conv",
          { x, k: weight([taps, width], Math.sqrt(3 / taps)), skip: weight([width], 1) },
          { lag0: draw(taps), circular: draw(2) === 0 },
        );
        x = b.emit("mul", { a: b.emit("silu", { x: linear(x, width) }, {}), b: y }, {});
        break;
      }
      case 5:
        x = b.emit("scale", { x }, { factor: 0.7, offset: 0.1 });
        break;
      case 6:
        x = b.emit("mul", { a: x, b: b.emit("sigmoid", { x: linear(x, width) }, {}) }, {});
        break;
      case 7: {
        const mean = b.emit("reduce_mean", { x }, { axis: 1, keepdims: true });
        x = b.emit("sub", { a: x, b: mean }, {});
        break;
      }
      default:
        x = b.emit("add", { a: x, b: b.emit("softmax", { x }, { axis: 2 }) }, {});
    }
  }
  const logits = b.emit("linear", { x, weight: weight([11, width], Math.sqrt(3 / width)) }, {});
  const tokens = b.emit("argmax", { x: logits }, { axis: 2 });
  return { dims: new Map([["B", B]]), graphs: [b.finish({ logits, tokens })], weights: weightsOf(tensors) };
}
