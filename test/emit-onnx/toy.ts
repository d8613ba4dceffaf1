// A whole toy model of few numbers: @denoise (mixer, attention, feed-forward, heads) and @step around it.
import { Builder } from "../../src/ir/build.js";
import { Dim, dim } from "../../src/ir/dim.js";
import type { Module, Value, WeightSource } from "../../src/ir/graph.js";
import { type } from "../../src/ir/type.js";
import { numbers } from "./ort.js";

export const toyWidth = 6;
export const toyVocabulary = 11;

/** Weights by name, each from its own seed, small enough that activations stay near 1. */
function toyWeights(): {
  readonly source: WeightSource;
  declare(name: string, shape: readonly number[]): void;
} {
  const shapes = new Map<string, readonly number[]>();
  const source: WeightSource = {
    has: (name) => shapes.has(name),
    read: (name) =>
      numbers(
        [...name].reduce((h, c) => h * 31 + c.charCodeAt(0), 7),
        shapes.get(name)!,
        "f32",
        0.5,
      ),
  };
  return { source, declare: (name, shape) => void shapes.set(name, shape) };
}

/** The module for one sequence length. */
export function toyModel(length = 5): Module {
  const batch = Dim.symbol("B");
  const { source, declare } = toyWeights();
  const latent = type("f32", [batch, length, toyWidth]);
  const weightOf =
    (b: Builder) =>
    (name: string, shape: number[]): Value => {
      declare(name, shape);
      return b.weight(name, shape.map(dim));
    };

  const d = new Builder("denoise");
  const w = weightOf(d);
  const x = d.input("x", latent);
  const level = d.input("level", type("f32", [batch]));
  const time = d.at("/time_conditioning", () => {
    const column = d.emit("reshape", { x: level }, { shape: [batch, dim(1)] });
    const h = d.emit("linear", { x: column, weight: w("time.mlp.0.weight", [toyWidth, 1]) }, {});
    return d.emit("reshape", { x: d.emit("silu", { x: h }, {}) }, { shape: [batch, dim(1), dim(toyWidth)] });
  });
  const mixed = d.at("/blocks/layers/0/mixer", () => {
    const n = d.emit("layer_norm", { x: d.emit("add", { a: x, b: time }, {}) }, { epsilon: 1e-5 });
    const taps = w("blocks.0.mixer.filters.0.taps", [4, toyWidth]);
    const convolved = d.emit("long_conv", { x: n, k: taps }, { lag0: 0 });
    const attended = d.emit("attention", { q: convolved, k: n, v: n }, { heads: 2, kv_heads: 2, scale: 0.5 });
    return d.emit("add", { a: x, b: attended }, {});
  });
  const table = w("embedding.table", [toyVocabulary, toyWidth]);
  const x0 = d.at("/blocks/layers/0/ffn", () => {
    const up = d.emit(
      "linear",
      {
        x: mixed,
        weight: w("blocks.0.ffn.up.weight", [16, toyWidth]),
        bias: w("blocks.0.ffn.up.bias", [16]),
      },
      {},
    );
    const g = d.emit("gelu", { x: up }, {});
    return d.emit(
      "add",
      { a: mixed, b: d.emit("linear", { x: g, weight: w("blocks.0.ffn.down.weight", [toyWidth, 16]) }, {}) },
      {},
    );
  });
  const logits = d.at("/rounding_head", () => d.emit("linear", { x: x0, weight: table }, {}));
  const denoise = d.finish({ x0, logits });

  const s = new Builder("step", [denoise]);
  const xt = s.input("x", latent);
  const noise = s.input("noise", latent);
  const coefficients = s.input("coefficients", type("f32", [4]));
  const stepLevel = s.input("level", type("f32", [1]));
  const mask = s.input("fixed_mask", type("bool", [batch, length]));
  const fixedX = s.input("fixed_x", latent);
  const previous = s.input("x0_prev", latent);
  const step = s.at("/sampler", () => {
    const column = s.emit("reshape", { x: mask }, { shape: [batch, dim(length), dim(1)] });
    const held = s.emit("where", { condition: column, a: fixedX, b: xt }, {});
    const levels = s.emit("broadcast", { x: stepLevel }, { shape: [batch] });
    const [clean, scores] = s.emitList("call", [held, levels], { graph: "denoise" });
    const next = s.emit("affine_step", { x0: clean!, x: held, noise, coefficients, x0_prev: previous }, {});
    const tokens = s.emit("argmax", { x: scores! }, { axis: 2 });
    return s.finish({ x_next: next, x0: clean!, tokens });
  });
  const dims = new Map([
    ["B", batch],
    ["L", dim(length).named("L")],
  ]);
  return { dims, graphs: [denoise, step], weights: source };
}
