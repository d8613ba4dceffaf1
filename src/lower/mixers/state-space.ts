// One diagonal state-space model of all channels (Smith et al. 2023, S5; Orvieto et al. 2023, LRU). The states are complex,
// h = conv(B u, g a^t); with a^t = p + i q and B u = v + i w
//   Re h = conv(v, p) - conv(w, q),  Im h = conv(v, q) + conv(w, p),  y = factor (Re C Re h - Im C Im h) + skip u
// so the convolutions are those of 4 N channels with 2 N kernels, and any of their lowerings serves.

import type { StateSpaceMixer } from "../../description/description.js";
import { dim } from "../../ir/dim.js";
import type { Value } from "../../ir/graph.js";
import { type Complex, ComplexOps } from "../complex.js";
import type { GraphContext, Scope } from "../context.js";
import { poles, powersOf, step } from "../filters/poles.js";
import { chunks, lastExtent } from "../layers.js";

export function lowerStateSpace(c: GraphContext, scope: Scope, u: Value, mixer: StateSpaceMixer): Value {
  const { b } = c;
  const width = lastExtent(u);
  const { states, directions } = mixer;
  const { powers, gain } = system(c, scope, mixer);
  const ops = new ComplexOps(c);
  const stored = (name: string, shape: readonly number[]): Complex =>
    ops.parts(c.parameter(scope, name, [...shape, 2], "linear"));
  const input = stored("input", [states, width]);
  const column = ops.reshape(gain, [states, 1]);
  const driven = ops.mul(column, input);
  const join = (xs: readonly Value[], axis: number): Value => b.emit("concat", { xs }, { axis });
  // Rows Re B, Im B, Re B, Im B against kernels p, q, q, p.
  const rows = join([driven.re, driven.im, driven.re, driven.im], 0);
  const entered = b.emit("linear", { x: u, weight: rows, bias: undefined }, {}, "driven");
  const kernels = join([powers.re, powers.im, powers.im, powers.re], 1);
  const forward = convolved(kernels, 0);
  const backward = (): Value =>
    convolved(b.emit("reverse", { x: kernels }, { axis: 0 }), c.lowering.sequence - 1);
  const state = directions === "both" ? [...parts(forward), ...parts(backward())] : parts(forward);
  const count = directions === "both" ? 2 * states : states;
  const output = stored("output", [width, count]);
  const read = ops.scale({ re: output.re, im: b.emit("neg", { x: output.im }, {}) }, factor(mixer));
  const [real, imaginary] = [read.re, read.im].map((part) =>
    chunks(c, part, Array<number>(count / states).fill(states)),
  ) as [Value[], Value[]];
  // Columns in the order of the states: real and imaginary parts of the forward ones, then of the backward ones.
  const weight = join(
    real.flatMap((part, k) => [part, imaginary[k]!]),
    1,
  );
  const y = b.emit("linear", { x: join(state, 2), weight, bias: undefined }, {}, "read");
  if (!mixer.skip) return y;
  return b.emit(
    "add",
    { a: y, b: b.emit("mul", { a: u, b: c.parameter(scope, "skip", [width], "skip") }, {}) },
    {},
  );

  function convolved(k: Value, lag0: number): Value {
    return b.emit("long_conv", { x: entered, k }, { lag0 }, "states");
  }

  /** Re h and Im h of the four convolutions. */
  function parts(four: Value): [Value, Value] {
    const [vp, wq, vq, wp] = chunks(c, four, Array<number>(4).fill(states)) as [Value, Value, Value, Value];
    return [b.emit("sub", { a: vp, b: wq }, {}), b.emit("add", { a: vq, b: wp }, {})];
  }
}

function factor({ conjugates }: StateSpaceMixer): number {
  return conjugates === "pairs" ? 2 : 1;
}

/** a^0 .. a^(L-1), [L, states], and g [1, 1, states]. */
function system(c: GraphContext, scope: Scope, mixer: StateSpaceMixer): { powers: Complex; gain: Complex } {
  const { b } = c;
  const ops = new ComplexOps(c);
  const { states, discretization } = mixer;
  const length = c.lowering.sequence;
  const form = { groups: 1, states, poles: mixer.poles, step: mixer.step };
  const { re, im } = poles(c, scope, form);
  const pole: Complex = { re, im: im ?? b.emit("constant", {}, { value: 0, shape: re.type.shape }) };
  const one: Complex = {
    re: b.emit("constant", {}, { value: 1, shape: re.type.shape }),
    im: b.emit("constant", {}, { value: 0, shape: re.type.shape }),
  };
  const { ratio, gain } = discretized();
  const grown = mixer.gain ? ops.times(gain, logGain()) : gain;
  return { powers: ops.reshape(powersOf(c, ratio, length), [length, states]), gain: grown };

  function discretized(): { ratio: Complex; gain: Complex } {
    if (discretization === "none") return { ratio: ops.exp(pole), gain: one };
    const d = step(c, scope, form);
    const stepped = ops.times(pole, d);
    if (discretization === "zoh") {
      const ratio = ops.exp(stepped);
      return { ratio, gain: ops.div(ops.scale(ratio, 1, -1), pole) };
    }
    const below = ops.scale(stepped, -0.5, 1);
    return {
      ratio: ops.div(ops.scale(stepped, 0.5, 1), below),
      gain: ops.div(ops.times(one, d), below),
    };
  }

  function logGain(): Value {
    const stored = c.parameter(scope, "log_gain", [1, states], "bias");
    const shaped = b.emit("reshape", { x: stored }, { shape: [dim(1), dim(1), dim(states)] });
    return b.emit("exp", { x: shaped }, {});
  }
}
