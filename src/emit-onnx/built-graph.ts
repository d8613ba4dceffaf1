// A finished ONNX graph before it becomes a protobuf message: nodes and constants by object, names beside them.
import type { OnnxValue } from "./value.js";

export interface BuiltNode {
  readonly op: string;
  readonly domain: string;
  /** `undefined` where an optional input is absent. */
  readonly inputs: readonly (OnnxValue | undefined)[];
  readonly outputs: readonly OnnxValue[];
  readonly attributes: Readonly<Record<string, OnnxAttribute>>;
  readonly name: string;
  /** JSON pointer of the op it came from. */
  readonly pointer: string;
}

export interface BuiltInitializer {
  readonly value: OnnxValue;
  /** Packed bytes, or the name of a tensor of the weight pool. */
  readonly data: Uint8Array | string;
}

export interface BuiltGraph {
  readonly name: string;
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
  readonly nodes: readonly BuiltNode[];
  /** Empty for subgraphs: constants live in the outermost graph. */
  readonly initializers: readonly BuiltInitializer[];
  /** Final names of every value, subgraphs included. */
  readonly names: ReadonlyMap<OnnxValue, string>;
  /** The least opset all nodes (also of subgraphs) need. */
  readonly opset: number;
  readonly domains: ReadonlySet<string>;
}

/** The graphs a node has as attributes (loop bodies). */
export function bodiesOf(node: BuiltNode): readonly BuiltGraph[] {
  return Object.values(node.attributes).flatMap((attribute) =>
    attribute.kind === "graph" ? [attribute.value] : [],
  );
}

/** Every value that nodes read, those of their bodies and the bodies' results included. */
export function valuesRead(nodes: readonly BuiltNode[]): OnnxValue[] {
  return nodes.flatMap((node) => [
    ...node.inputs.filter((value) => value !== undefined),
    ...bodiesOf(node).flatMap((body) => [...valuesRead(body.nodes), ...body.outputs]),
  ]);
}

/** The nodes some result needs, in order. */
export function liveNodes(nodes: readonly BuiltNode[], results: readonly OnnxValue[]): readonly BuiltNode[] {
  const needed = new Set<OnnxValue>(results);
  const kept: BuiltNode[] = [];
  for (const node of [...nodes].reverse()) {
    if (!node.outputs.some((output) => needed.has(output))) continue;
    for (const value of valuesRead([node])) needed.add(value);
    kept.push(node);
  }
  return kept.reverse();
}

/** A node attribute; a graph is the body of a Loop or an If. */
export type OnnxAttribute =
  | { readonly kind: "int"; readonly value: number }
  | { readonly kind: "float"; readonly value: number }
  | { readonly kind: "ints"; readonly value: readonly number[] }
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "graph"; readonly value: BuiltGraph };
