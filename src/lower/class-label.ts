// The class of a text: a row of a table, layers, and where it is added.

import type { ClassLabel, ModelDescription } from "../description/description.js";
import { dim } from "../ir/dim.js";
import type { Value } from "../ir/graph.js";
import { type } from "../ir/type.js";
import { child, type GraphContext, type Scope } from "./context.js";
import { activate, linearLayers } from "./layers.js";

const scope: Scope = { name: "conditioning.class.", pointer: "/conditioning/class" };

/** A class as the network takes it. */
export interface Label extends Pick<ClassLabel, "injection"> {
  /** f32[B, width], or f32[1, width] where one serves the batch. */
  readonly vector: Value;
}

type Conditioned = Pick<ModelDescription, "conditioning">;

/** The input class of a graph; undefined where the description has none. */
export function classInput(
  c: GraphContext,
  { conditioning: { class: label } }: Conditioned,
): Label | undefined {
  return label && lowerLabel(c, label, c.b.input("class", type("i32", [c.lowering.batch])));
}

/** No class, where there is a row for it; else the class stays. */
export function withoutClass(c: GraphContext, { conditioning }: Conditioned, given: Label): Label {
  const { class: label } = conditioning;
  if (!label?.null_class) return given;
  const none = c.b.at("/sampler/guidance", () =>
    c.b.emit("literal", {}, { values: [label.count], shape: [dim(1)], element: "i32" }, "no_class"),
  );
  return lowerLabel(c, label, none);
}

function lowerLabel(c: GraphContext, label: ClassLabel, index: Value): Label {
  const { count, null_class, dim: width, layers, activation, injection } = label;
  const table = c.parameter(scope, "table", [count + (null_class ? 1 : 0), width], "embedding");
  return c.b.at(scope.pointer, () => {
    const row = c.b.emit("take", { table, indices: index }, {}, "class_row");
    const vector = activate(c, linearLayers(c, child(scope, "layers", "/layers"), row, layers), activation);
    return { injection, vector };
  });
}

/** x with the class's vector added, where it is injected there. */
export function withClass(
  c: GraphContext,
  x: Value,
  label: Label | undefined,
  injection: ClassLabel["injection"],
): Value {
  if (label?.injection !== injection) return x;
  const { vector } = label;
  const [rows, width] = vector.type.shape;
  return c.b.at(scope.pointer, () => {
    const b =
      injection === "positions"
        ? c.b.emit("reshape", { x: vector }, { shape: [rows!, dim(1), width!] })
        : vector;
    return c.b.emit("add", { a: x, b }, {}, "with_class");
  });
}
