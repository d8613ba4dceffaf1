// Node attributes: ONNX distinguishes integers from floats, JavaScript does not, so every one says its kind.
import type { BuiltGraph, OnnxAttribute } from "./built-graph.js";
import { type AttributeProto, attributeTypes, type GraphProto } from "./proto/messages.js";

export type { OnnxAttribute };

export const attr = {
  int: (value: number): OnnxAttribute => ({ kind: "int", value }),
  float: (value: number): OnnxAttribute => ({ kind: "float", value }),
  ints: (value: readonly number[]): OnnxAttribute => ({ kind: "ints", value }),
  string: (value: string): OnnxAttribute => ({ kind: "string", value }),
  graph: (value: BuiltGraph): OnnxAttribute => ({ kind: "graph", value }),
};

/** The message; subgraphs are turned by `subgraph`. */
export function attributeProto(
  name: string,
  attribute: OnnxAttribute,
  subgraph: (graph: BuiltGraph) => GraphProto,
): AttributeProto {
  switch (attribute.kind) {
    case "int":
      return { name, type: attributeTypes.int, i: attribute.value };
    case "float":
      return { name, type: attributeTypes.float, f: attribute.value };
    case "ints":
      return { name, type: attributeTypes.ints, ints: attribute.value };
    case "string":
      return { name, type: attributeTypes.string, s: new TextEncoder().encode(attribute.value) };
    case "graph":
      return { name, type: attributeTypes.graph, g: subgraph(attribute.value) };
  }
}
