// Small rewrites of finished nodes that a lowering cannot see, because each looks at one op:
//   slices of one value along one axis            -> one Split (queries, keys and values; gates; modulations)
//   Add(Transpose(Conv(x, w)), constant [channels]) -> Transpose(Conv(x, w, constant))
import { attr } from "./attributes.js";
import { type BuiltNode, bodiesOf } from "./built-graph.js";
import type { OnnxType, OnnxValue } from "./value.js";

/** What the rewrites need from the builder: a stored integer vector, and a value nobody reads. */
export interface PeepholeContext {
  integers(values: readonly number[]): OnnxValue;
  unread(type: OnnxType): OnnxValue;
  /** A name for a new node, like that of `model`. */
  name(model: BuiltNode, op: string): string;
}

/** The nodes with both rewrites done; order and results stay. */
export function peephole(
  nodes: readonly BuiltNode[],
  outputs: readonly OnnxValue[],
  context: PeepholeContext,
): readonly BuiltNode[] {
  return splitSlices(foldConvBias(nodes, outputs), context);
}

interface Cut {
  readonly node: BuiltNode;
  readonly start: number;
  readonly length: number;
}

/** Start and length of a forward Slice along one axis, with the key of what it cuts. */
function cutOf(node: BuiltNode): (Cut & { readonly axis: number }) | undefined {
  const [source, start, end, axis] = node.inputs;
  if (node.op !== "Slice" || node.inputs.length !== 4 || source === undefined || source.constant)
    return undefined;
  const number = (value: OnnxValue | undefined) => value?.constant?.read().data[0];
  const [first, last, along] = [number(start), number(end), number(axis)];
  if (first === undefined || last === undefined || along === undefined) return undefined;
  if (source.type.shape[along]?.value === undefined || first < 0 || last < 0) return undefined;
  return { node, start: first, length: last - first, axis: along };
}

function splitSlices(nodes: readonly BuiltNode[], context: PeepholeContext): readonly BuiltNode[] {
  const groups = new Map<OnnxValue, Map<number, Cut[]>>();
  for (const node of nodes) {
    const cut = cutOf(node);
    if (cut === undefined) continue;
    const byAxis = groups.get(node.inputs[0]!) ?? new Map<number, Cut[]>();
    groups.set(node.inputs[0]!, byAxis.set(cut.axis, [...(byAxis.get(cut.axis) ?? []), cut]));
  }
  const replaced = new Map<BuiltNode, readonly BuiltNode[]>();
  for (const [source, byAxis] of groups)
    for (const [axis, cuts] of byAxis) {
      const split = splitFor(source, axis, cuts, context);
      if (split === undefined) continue;
      // The Split stands where the first slice stood: its input is there already.
      for (const [i, { node }] of cuts.entries()) replaced.set(node, i === 0 ? split : []);
    }
  return nodes.flatMap((node) => replaced.get(node) ?? [node]);
}

/** Parts of one Split: with its input they are the eight buffers that every WebGPU device can bind. */
const mostParts = 7;

/** A Split with the cuts' results, and unread ones for the rest; `undefined` where cuts overlap or waste much. */
function splitFor(
  source: OnnxValue,
  axis: number,
  cuts: readonly Cut[],
  context: PeepholeContext,
): readonly BuiltNode[] | undefined {
  const extent = source.type.shape[axis]!.value!;
  const used = cuts.reduce((sum, cut) => sum + cut.length, 0);
  if (cuts.length < 2 || 2 * used < extent) return undefined;
  const lengths: number[] = [];
  const outputs: OnnxValue[] = [];
  let at = 0;
  const skipTo = (end: number): void => {
    if (end === at) return;
    lengths.push(end - at);
    const shape = cuts[0]!.node.outputs[0]!.type.shape.map((d, i) =>
      i === axis ? d.times(0).plus(end - at) : d,
    );
    outputs.push(context.unread({ element: source.type.element, shape }));
  };
  for (const { node, start, length } of [...cuts].sort((a, b) => a.start - b.start)) {
    if (start < at) return undefined;
    skipTo(start);
    lengths.push(length);
    outputs.push(node.outputs[0]!);
    at = start + length;
  }
  skipTo(extent);
  return splitTree(source, axis, lengths, outputs, cuts[0]!.node, context);
}

/** One Split, or one that cuts into runs of parts which others cut on. */
function splitTree(
  source: OnnxValue,
  axis: number,
  lengths: readonly number[],
  outputs: readonly OnnxValue[],
  model: BuiltNode,
  context: PeepholeContext,
): readonly BuiltNode[] {
  if (lengths.length === 1) return [];
  const node = (parts: readonly number[], results: readonly OnnxValue[]): BuiltNode => ({
    op: "Split",
    domain: "",
    inputs: [source, context.integers(parts)],
    outputs: results,
    attributes: { axis: attr.int(axis) },
    name: context.name(model, "Split"),
    pointer: model.pointer,
  });
  if (lengths.length <= mostParts) return [node(lengths, outputs)];
  const size = Math.ceil(lengths.length / mostParts);
  const runs = Array.from({ length: Math.ceil(lengths.length / size) }, (_, k) => {
    const [parts, values] = [
      lengths.slice(k * size, (k + 1) * size),
      outputs.slice(k * size, (k + 1) * size),
    ];
    const length = parts.reduce((sum, part) => sum + part, 0);
    const { element, shape } = source.type;
    const type = { element, shape: shape.map((d, i) => (i === axis ? d.times(0).plus(length) : d)) };
    return { parts, values, length, whole: values.length === 1 ? values[0]! : context.unread(type) };
  });
  return [
    node(
      runs.map(({ length }) => length),
      runs.map(({ whole }) => whole),
    ),
    ...runs.flatMap(({ whole, parts, values }) => splitTree(whole, axis, parts, values, model, context)),
  ];
}

function foldConvBias(nodes: readonly BuiltNode[], outputs: readonly OnnxValue[]): readonly BuiltNode[] {
  // A value read inside a loop body is not counted below; a graph around one keeps its Conv as it is.
  if (nodes.some((node) => bodiesOf(node).length > 0)) return nodes;
  const maker = new Map(nodes.flatMap((node) => node.outputs.map((value) => [value, node] as const)));
  const readers = new Map<OnnxValue, number>();
  for (const value of [...nodes.flatMap((node) => node.inputs), ...outputs])
    if (value !== undefined) readers.set(value, (readers.get(value) ?? 0) + 1);
  const once = (value: OnnxValue | undefined, op: string): BuiltNode | undefined => {
    const node = value && maker.get(value);
    return node?.op === op && readers.get(value!) === 1 ? node : undefined;
  };
  const result = new Map<BuiltNode, BuiltNode | undefined>();
  for (const node of nodes) {
    if (node.op !== "Add") continue;
    const turned = once(node.inputs[0], "Transpose");
    const conv = turned && once(turned.inputs[0], "Conv");
    const bias = node.inputs[1];
    if (turned === undefined || conv === undefined || conv.inputs.length !== 2 || !bias?.constant) continue;
    const order = turned.attributes.perm;
    const channelsLast = order?.kind === "ints" && order.value.join() === "0,2,1";
    const perChannel =
      bias.type.shape.length === 1 && bias.type.shape[0]!.equals(conv.outputs[0]!.type.shape[1]!);
    if (!channelsLast || !perChannel) continue;
    result.set(conv, { ...conv, inputs: [...conv.inputs, bias] });
    result.set(turned, { ...turned, outputs: node.outputs });
    result.set(node, undefined);
  }
  return nodes.flatMap((node) => (result.has(node) ? (result.get(node) ?? []) : [node]));
}
