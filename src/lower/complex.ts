// Complex arithmetic as pairs of real values, for filters that are made of complex parameters.

import { dim } from "../ir/dim.js";
import type { Value } from "../ir/graph.js";
import type { GraphContext } from "./context.js";

export interface Complex {
  readonly re: Value;
  readonly im: Value;
}

/** Complex operations that build ops in one graph. */
export class ComplexOps {
  constructor(private readonly c: GraphContext) {}

  /** The parts of a tensor whose last axis is (re, im). */
  parts(x: Value): Complex {
    const { b } = this.c;
    const { shape } = x.type;
    const part = (start: number): Value =>
      b.emit(
        "reshape",
        { x: b.emit("slice", { x }, { axis: shape.length - 1, start: dim(start), length: dim(1) }) },
        { shape: shape.slice(0, -1) },
      );
    return { re: part(0), im: part(1) };
  }

  reshape(x: Complex, shape: readonly number[]): Complex {
    const one = (value: Value): Value => this.c.b.emit("reshape", { x: value }, { shape: shape.map(dim) });
    return { re: one(x.re), im: one(x.im) };
  }

  conj({ re, im }: Complex): Complex {
    return { re, im: this.c.b.emit("neg", { x: im }, {}) };
  }

  add(x: Complex, y: Complex): Complex {
    const { b } = this.c;
    return { re: b.emit("add", { a: x.re, b: y.re }, {}), im: b.emit("add", { a: x.im, b: y.im }, {}) };
  }

  sub(x: Complex, y: Complex): Complex {
    const { b } = this.c;
    return { re: b.emit("sub", { a: x.re, b: y.re }, {}), im: b.emit("sub", { a: x.im, b: y.im }, {}) };
  }

  mul(x: Complex, y: Complex): Complex {
    const { b } = this.c;
    const times = (a: Value, by: Value): Value => b.emit("mul", { a, b: by }, {});
    return {
      re: b.emit("sub", { a: times(x.re, y.re), b: times(x.im, y.im) }, {}),
      im: b.emit("add", { a: times(x.re, y.im), b: times(x.im, y.re) }, {}),
    };
  }

  /** x conj(y) / (|y|^2 + epsilon). */
  div(x: Complex, y: Complex, epsilon = 0): Complex {
    const { b } = this.c;
    const square = (value: Value): Value => b.emit("mul", { a: value, b: value }, {});
    const exact = b.emit("add", { a: square(y.re), b: square(y.im) }, {});
    const size = epsilon === 0 ? exact : b.emit("scale", { x: exact }, { offset: epsilon });
    const top = this.mul(x, this.conj(y));
    return { re: b.emit("div", { a: top.re, b: size }, {}), im: b.emit("div", { a: top.im, b: size }, {}) };
  }

  /** e^x = e^re (cos im + i sin im). */
  exp(x: Complex): Complex {
    const { b } = this.c;
    const size = b.emit("exp", { x: x.re }, {});
    return {
      re: b.emit("mul", { a: size, b: b.emit("cos", { x: x.im }, {}) }, {}),
      im: b.emit("mul", { a: size, b: b.emit("sin", { x: x.im }, {}) }, {}),
    };
  }

  /** factor x + offset, both real numbers. */
  scale(x: Complex, factor: number, offset = 0): Complex {
    const { b } = this.c;
    return {
      re: b.emit("scale", { x: x.re }, { factor, offset }),
      im: factor === 1 ? x.im : b.emit("scale", { x: x.im }, { factor }),
    };
  }

  /** Both parts times a real value. */
  times(x: Complex, by: Value): Complex {
    const { b } = this.c;
    return { re: b.emit("mul", { a: x.re, b: by }, {}), im: b.emit("mul", { a: x.im, b: by }, {}) };
  }

  /** Both parts summed over an axis. */
  sum(x: Complex, axis: number): Complex {
    const { b } = this.c;
    const one = (value: Value): Value => b.emit("reduce_sum", { x: value }, { axis, keepdims: false });
    return { re: one(x.re), im: one(x.im) };
  }

  /** One above the other along an axis. */
  concat(xs: readonly Complex[], axis: number): Complex {
    const { b } = this.c;
    return {
      re: b.emit("concat", { xs: xs.map(({ re }) => re) }, { axis }),
      im: b.emit("concat", { xs: xs.map(({ im }) => im) }, { axis }),
    };
  }
}
