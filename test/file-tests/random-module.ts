// Random small modules: a list of integers is read as choices of ops, operands and attributes, so that fast-check
// can shrink a failing module by shrinking the list. What a type rule refuses is left out.
import { makeOp, throwingCheck } from "../../src/ir/build.js";
import { Dim, dim, product } from "../../src/ir/dim.js";
import {
  type Attributes,
  type Graph,
  type Module,
  noWeights,
  nowhere,
  type Op,
  type Value,
} from "../../src/ir/graph.js";
import { ConstraintError } from "../../src/ir/op.js";
import type { Element } from "../../src/ir/tensor.js";
import { sameType, type } from "../../src/ir/type.js";
import { seededWeights } from "./weights.js";

type Draw = (below: number) => number;

/** Chains of broadcasts and concats double; values stay below this. */
const mostNumbers = 600;

const batch = Dim.symbol("B");
const length = Dim.symbol("L");

const unary = [
  "neg",
  "abs",
  "tanh",
  "sigmoid",
  "relu",
  "silu",
  "gelu",
  "erf",
  "sin",
  "cos",
  "softplus",
  "exp",
];
const binary = ["add", "sub", "mul", "div", "maximum", "minimum"];
const norms: readonly (readonly [string, Attributes])[] = [
  ["layer_norm", { epsilon: 0.01 }],
  ["rms_norm", { epsilon: 0.01 }],
  ["l2_normalize", { scale: 2, epsilon: 0.01 }],
];

class ModuleWriter {
  readonly values: Value[] = [];
  readonly ops: Op[] = [];
  private weights = 0;

  constructor(
    private readonly draw: Draw,
    private readonly graphs: readonly Graph[],
    private readonly sizes: ReadonlyMap<string, number>,
  ) {}

  /** Appends an op when its rule takes it and every extent stays at least 1. */
  emit(
    name: string,
    operands: readonly (Value | undefined)[],
    attributes: Attributes = {},
  ): Value | undefined {
    try {
      const check = throwingCheck((graph) => this.graphs.find((g) => g.name === graph));
      const op = makeOp(name, operands, attributes, nowhere, check);
      if (op.results.some((v) => v.type.shape.some((extent) => !(extent.min >= 1)))) return undefined;
      if (op.results.some((v) => product(v.type.shape).evaluate(this.sizes) > mostNumbers)) return undefined;
      this.ops.push(op);
      this.values.push(...op.results);
      return op.results[0];
    } catch (error) {
      if (error instanceof ConstraintError) return undefined;
      throw error;
    }
  }

  any(element: Element = "f32", rank?: number): Value | undefined {
    const found = this.values.filter(
      (v) => v.type.element === element && (rank === undefined || v.type.shape.length === rank),
    );
    // Later values are likelier, so that chains grow.
    return found[Math.max(0, found.length - 1 - this.draw(6))];
  }

  private weight(...shape: readonly (Dim | number)[]): Value | undefined {
    const name = `w${this.weights++ % 4}.${shape.join("x")}`;
    return this.emit("weight", [], { name, shape: shape.map(dim), element: "f32" });
  }

  /** One step: an op of some family, perhaps with the constants it needs. */
  step(): void {
    const x = this.any();
    if (x === undefined) return;
    const { shape } = x.type;
    const axis = this.draw(Math.max(1, shape.length));
    const last = shape[shape.length - 1];
    switch (this.draw(20)) {
      case 0:
        this.emit(unary[this.draw(unary.length)]!, [x]);
        return;
      case 1:
        this.emit(binary[this.draw(binary.length)]!, [x, this.any()]);
        return;
      case 2:
        this.emit("scale", [x], { factor: [1, -2, 0.5][this.draw(3)]!, offset: [0, 1][this.draw(2)]! });
        return;
      case 3:
        this.emit(binary[this.draw(4)]!, [x, this.emit("constant", [], { value: this.draw(3), shape: [] })]);
        return;
      case 4:
        this.emit(["reduce_sum", "reduce_mean", "reduce_max"][this.draw(3)]!, [x], {
          axis,
          keepdims: this.draw(2) === 1,
        });
        return;
      case 5:
        this.emit("softmax", [x], { axis });
        return;
      case 6: {
        const permutation = shape.map((_, i) => i);
        permutation.push(...permutation.splice(axis, 1));
        this.emit("transpose", [x], { permutation });
        return;
      }
      case 7:
        this.emit("reshape", [x], {
          shape: this.draw(2) === 0 ? [dim(1), ...shape] : [shape.reduce((p, d) => p.times(d), dim(1))],
        });
        return;
      case 8:
        this.emit("broadcast", [x], { shape: [dim(2), ...shape] });
        return;
      case 9:
        this.emit("slice", [x], {
          axis,
          start: dim(this.draw(2)),
          length: (shape[axis] ?? dim(1)).minus(this.draw(3)),
        });
        return;
      case 10:
        this.emit("concat", this.draw(3) === 0 ? [x] : [x, this.any()], { axis });
        return;
      case 11:
        this.emit("pad", [x], { axis, before: dim(this.draw(2)), after: dim(this.draw(2)) });
        return;
      case 12:
        this.emit("reverse", [x], { axis });
        return;
      case 13:
        if (last !== undefined)
          this.emit("linear", [x, this.weight(4, last), this.draw(2) === 0 ? undefined : this.weight(4)]);
        return;
      case 14: {
        const [name, attributes] = norms[this.draw(3)]!;
        const weight =
          name === "l2_normalize" || this.draw(2) === 0 || last === undefined ? [] : [this.weight(last)];
        this.emit(name, [x, ...weight], attributes);
        return;
      }
      case 15: {
        const q = this.any("f32", 3);
        if (q === undefined) return;
        this.emit("rope", [q], {
          heads: 1,
          rotary: 2,
          base: 100,
          layout: this.draw(2) === 0 ? "half" : "pair",
          skip: this.draw(2),
        });
        this.emit("attention", [q, q, q], {
          heads: 2,
          kv_heads: 2,
          scale: 0.5,
          mask: this.draw(2) === 0 ? "full" : "causal",
        });
        return;
      }
      case 16: {
        const line = this.any("f32", 3);
        const width = line?.type.shape[2];
        if (width !== undefined)
          this.emit("long_conv", [line, this.weight(3, width)], {
            lag0: this.draw(3),
            circular: this.draw(2) === 1,
          });
        return;
      }
      case 17: {
        const other = this.values.find((v) => v !== x && sameType(v.type, x.type)) ?? x;
        const less = this.emit("less", [x, other]);
        if (less !== undefined) this.emit("where", [less, this.any(), x]);
        return;
      }
      case 18: {
        // The table has a row for every index such an argmax can give.
        const few = (shape[axis]?.evaluate(this.sizes) ?? 0) <= 16;
        const tokens = few && this.draw(2) === 0 ? this.emit("argmax", [x], { axis }) : this.any("i32");
        const table = this.emit("l2_normalize", [this.weight(16, 4)], {});
        if (tokens !== undefined) this.emit("take", [table, tokens]);
        return;
      }
      default: {
        const [callee] = this.graphs;
        if (callee !== undefined) this.emit("call", [this.any(), this.any()], { graph: callee.name });
      }
    }
  }

  graph(name: string, inputs: readonly Value[]): Graph {
    const read = new Set(this.ops.flatMap((op) => op.operands));
    const unread = this.values.filter((value) => !read.has(value) && !inputs.includes(value));
    const outputs = [...unread.slice(-12), ...this.values.slice(-1)].filter(
      (v, i, all) => all.indexOf(v) === i,
    );
    return { name, inputs, ops: this.ops, outputs, outputNames: outputs.map((_, i) => `y${i}`) };
  }
}

/** A module of two graphs, @part and @step, from a list of integers; weights are seeded by name. */
export function moduleFrom(choices: readonly number[], sizes: ReadonlyMap<string, number>): Module {
  let at = 0;
  const draw: Draw = (below) => (choices.length === 0 ? 0 : choices[at++ % choices.length]! % below);
  const graphs: Graph[] = [];
  for (const [name, steps] of [
    ["part", Math.ceil(choices.length / 12)],
    ["step", Math.ceil(choices.length / 4)],
  ] as const) {
    const writer = new ModuleWriter(draw, graphs, sizes);
    const x: Value = { type: type("f32", [batch, length, 4]), hint: "x" };
    const inputs: Value[] = [x, { type: type("f32", [batch, length, 4]), hint: "noise" }];
    if (name === "step")
      inputs.push(
        { type: type("f32", [1]), hint: "level" },
        { type: type("i32", [batch, length]), hint: "tokens" },
      );
    writer.values.push(...inputs);
    for (let i = 0; i < steps; i++) writer.step();
    graphs.push(writer.graph(name, inputs));
  }
  const module: Module = {
    dims: new Map([
      ["B", batch],
      ["L", length],
    ]),
    graphs,
    weights: noWeights,
  };
  return { ...module, weights: seededWeights(module, sizes) };
}
