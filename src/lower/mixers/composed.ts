// Mixers made of mixers: one after the other, or side by side; and the layers and norms of a position that
// stand between them.

import type {
  ChainMixer,
  LinearMixer,
  Mixer,
  NormMixer,
  ParallelMixer,
} from "../../description/description.js";
import type { Value } from "../../ir/graph.js";
import { child, type GraphContext, type Scope } from "../context.js";
import { activate, lastExtent, linear, normalize, project } from "../layers.js";

type Lower<M> = (c: GraphContext, scope: Scope, x: Value, mixer: M) => Value;

/** m_n(.. m_1(x)), backward with x turned round before and the result turned back. */
export function lowerChain(lower: Lower<Mixer>): Lower<ChainMixer> {
  return (c, scope, x, { mixers, direction }) => {
    const turned = (y: Value): Value =>
      direction === "forward" ? y : c.b.emit("reverse", { x: y }, { axis: 1 }, "turned");
    const part = (y: Value, mixer: Mixer, k: number): Value =>
      lower(c, child(scope, `mixers.${k}`, `/mixers/${k}`), y, mixer);
    return turned(mixers.reduce(part, turned(x)));
  };
}

/** out_proj of the sum, the product or all channels of m_1(x) .. m_n(x). */
export function lowerParallel(lower: Lower<Mixer>): Lower<ParallelMixer> {
  return (c, scope, x, { branches, combine, out_proj }) => {
    const outputs = branches.map((mixer, k) =>
      lower(c, child(scope, `branches.${k}`, `/branches/${k}`), x, mixer),
    );
    const joined =
      combine === "concat"
        ? c.b.emit("concat", { xs: outputs }, { axis: 2 })
        : outputs.reduce((a, b) => c.b.emit(combine === "sum" ? "add" : "mul", { a, b }, {}, combine));
    return project(c, child(scope, "out_proj", "/out_proj"), joined, lastExtent(x), out_proj);
  };
}

/** activation(norm(x)). */
export function lowerNorm(c: GraphContext, scope: Scope, x: Value, mixer: NormMixer): Value {
  return activate(c, normalize(c, child(scope, "norm", "/norm"), x, mixer.norm), mixer.activation);
}

/** activation(W x + b). */
export function lowerLinear(c: GraphContext, scope: Scope, x: Value, mixer: LinearMixer): Value {
  return activate(c, linear(c, scope, x, mixer.out, mixer.bias), mixer.activation);
}
