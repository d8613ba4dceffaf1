// Description -> Module. A module is built for one sequence length; its weights come later, from the parameters
// it declares.

import { type Description, sequenceLength } from "../description/index.js";
import { type Graph, type Module, noWeights } from "../ir/graph.js";
import { type } from "../ir/type.js";
import type { ParameterDeclaration } from "../weights/store.js";
import { lowerBlock } from "./block.js";
import { Lowering } from "./context.js";
import { lowerMixer } from "./mixers/index.js";
import { lowerModel, lowerUpdate } from "./model.js";
import { lowerTime } from "./time.js";

export interface Lowered {
  /** Graphs of one length, without weights: give it `{ ...module, weights }`. */
  readonly module: Module;
  /** Every parameter with the shape the description demands and the place that demands it. */
  readonly parameters: readonly ParameterDeclaration[];
}

/** Lowers a resolved description. A part (mixer, block) is one graph; schedules and samplers have none. */
export function lower(description: Description): Lowered {
  const lowering = new Lowering(sequenceLength(description) ?? 1);
  const graphs = lowerPart(lowering, description);
  return { module: { dims: lowering.dims, graphs, weights: noWeights }, parameters: lowering.parameters };
}

function lowerPart(lowering: Lowering, description: Description): Graph[] {
  switch (description.part) {
    case "mixer": {
      const c = lowering.graph("mixer");
      const x = c.b.input("x", lowering.activation(description.width));
      return [c.finish({ y: lowerMixer(c, { name: "", pointer: "/mixer" }, x, description.mixer) })];
    }
    case "block": {
      const c = lowering.graph("block");
      const x = c.b.input("x", lowering.activation(description.width));
      const conditioning = description.time_conditioning;
      const level =
        conditioning.injection === "none" ? undefined : c.b.input("level", type("f32", [lowering.batch]));
      const time = lowerTime(c, conditioning, level);
      return [c.finish({ y: lowerBlock(c, { name: "", pointer: "/block" }, x, description.block, time) })];
    }
    case "model":
      return lowerModel(lowering, description);
    case "sampler":
      return [lowerUpdate(lowering, description)];
    case "noise_schedule":
      return [];
  }
}
