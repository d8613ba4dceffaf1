// Windows of implicit filters: a factor of the taps by their position. To add one: a schema fragment, a case here.

import type { ImplicitMlpFilter } from "../../description/description.js";
import { dim } from "../../ir/dim.js";
import type { Value } from "../../ir/graph.js";
import { child, type GraphContext, type Scope } from "../context.js";

/** Positions of the taps, [T, 1] each. */
export interface Places {
  /** t / (n - 1), from 0. */
  readonly times: Value;
  /** The same, or the position from -1 to 1 where features are relative. */
  readonly x: Value;
}

/** The factor of every tap, [T, 1] or [T, groups]; undefined for none. */
export function lowerWindow(
  c: GraphContext,
  scope: Scope,
  filter: ImplicitMlpFilter,
  { times, x }: Places,
): Value | undefined {
  const { b } = c;
  const { window, groups } = filter;
  switch (window.kind) {
    case "none":
      return undefined;
    case "exponential_decay":
      return exponentialDecay(c, scope, groups, times, window.shift);
    case "geometric_decay": {
      const rows = times.type.shape[0]!;
      const steps = b.emit("reshape", { x: b.emit("iota", {}, { length: rows }) }, { shape: [rows, dim(1)] });
      const exponent = b.emit("scale", { x: steps }, { factor: Math.log(window.rate) });
      return b.emit("exp", { x: exponent }, {}, "window");
    }
    case "gaussian": {
      const at = child(scope, "window", "/window");
      const count = window.per === "group" ? groups : 1;
      const mean = c.parameter(at, "mean", [count], "bias");
      const deviation = c.parameter(at, "deviation", [count], "skip");
      const off = b.emit("div", { a: b.emit("sub", { a: x, b: mean }, {}), b: deviation }, {});
      const exponent = b.emit("scale", { x: b.emit("mul", { a: off, b: off }, {}) }, { factor: -0.5 });
      return b.emit("exp", { x: exponent }, {}, "window");
    }
    case "hann": {
      const wave = b.emit("cos", { x: b.emit("scale", { x }, { factor: Math.PI }) }, {});
      return b.emit("scale", { x: wave }, { factor: 0.5, offset: 0.5 }, "window");
    }
  }
}

/** exp(-|delta_c| t) + shift, t in [0, 1] (Poli et al. 2023, Hyena). */
function exponentialDecay(c: GraphContext, scope: Scope, groups: number, times: Value, shift: number): Value {
  const { b } = c;
  const rate = b.emit(
    "neg",
    { x: b.emit("abs", { x: c.parameter(scope, "deltas", [groups], "decay") }, {}) },
    {},
  );
  const window = b.emit("exp", { x: b.emit("mul", { a: times, b: rate }, {}) }, {}, "window");
  return shift === 0 ? window : b.emit("scale", { x: window }, { offset: shift });
}
