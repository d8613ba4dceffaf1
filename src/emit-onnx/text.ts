// An ONNX model as text, one line per input, constant, node and output, for goldens and for reading.
// It prints the message itself, not our builder's objects, so that it can show any decoded file.
import {
  type AttributeProto,
  attributeTypes,
  type Dimension,
  elementName,
  type GraphProto,
  type ModelProto,
  type NodeProto,
  type TensorProto,
  type ValueInfoProto,
} from "./proto/messages.js";

/** Readable text of a model: `%y = MatMul(%a, %b) {axis=1} : float[B, 8, 16]`. Small constants show their numbers. */
export function onnxText(model: ModelProto): string {
  const opsets = model.opsetImport.map(
    ({ domain, version }) => `${domain === "" ? "onnx" : domain} ${version}`,
  );
  const lines = [`model ir ${model.irVersion}, opset ${opsets.join(", ")}`];
  graphLines(model.graph, "", new Map(), lines);
  return `${lines.join("\n")}\n`;
}

function graphLines(
  graph: GraphProto,
  indent: string,
  outer: ReadonlyMap<string, string>,
  lines: string[],
): void {
  const types = new Map(outer);
  for (const info of [...graph.input, ...graph.valueInfo, ...graph.output])
    types.set(info.name, typeText(info));
  lines.push(`${indent}graph ${graph.name} {`);
  const inner = `${indent}  `;
  for (const { name } of graph.input) lines.push(`${inner}input %${name} : ${types.get(name)}`);
  for (const tensor of graph.initializer) lines.push(`${inner}const %${tensor.name} : ${tensorText(tensor)}`);
  for (const node of graph.node) nodeLines(node, inner, types, lines);
  for (const { name } of graph.output) lines.push(`${inner}output %${name} : ${types.get(name)}`);
  lines.push(`${indent}}`);
}

function nodeLines(
  node: NodeProto,
  indent: string,
  types: ReadonlyMap<string, string>,
  lines: string[],
): void {
  const results = node.output.map((name) => `%${name}`).join(", ");
  const operands = node.input.map((name) => (name === "" ? "-" : `%${name}`)).join(", ");
  const op = node.domain ? `${node.domain}.${node.opType}` : node.opType;
  const plain = (node.attribute ?? []).filter((a) => a.type !== attributeTypes.graph);
  const attributes =
    plain.length === 0 ? "" : ` {${plain.map((a) => `${a.name}=${attributeText(a)}`).join(", ")}}`;
  const type = node.output.map((name) => types.get(name) ?? "?").join(", ");
  lines.push(`${indent}${results} = ${op}(${operands})${attributes} : ${type}`);
  for (const attribute of node.attribute ?? [])
    if (attribute.g) graphLines(attribute.g, `${indent}  `, types, lines);
}

function attributeText(attribute: AttributeProto): string {
  switch (attribute.type) {
    case attributeTypes.float:
      return floatText(attribute.f ?? 0);
    case attributeTypes.int:
      return String(attribute.i);
    case attributeTypes.string:
      return JSON.stringify(new TextDecoder().decode(attribute.s));
    case attributeTypes.ints:
      return `[${attribute.ints?.join(", ")}]`;
    case attributeTypes.floats:
      return `[${attribute.floats?.map(floatText).join(", ")}]`;
    default:
      return `<attribute type ${attribute.type}>`;
  }
}

/** The shortest decimal that names this f32. */
function floatText(value: number): string {
  for (let digits = 1; digits < 9; digits++) {
    const text = Number(value.toPrecision(digits));
    if (Math.fround(text) === Math.fround(value)) return String(text);
  }
  return String(value);
}

function tensorText(tensor: TensorProto): string {
  const type = `${elementName(tensor.dataType) ?? tensor.dataType}[${tensor.dims.join(", ")}]`;
  if (tensor.rawData !== undefined && tensor.rawData.byteLength > 0) {
    const numbers = rawNumbers(tensor);
    return numbers === undefined
      ? type
      : `${type} = ${numbers.length > 8 ? `${numbers.slice(0, 8).join(", ")}, ..` : numbers.join(", ")}`;
  }
  const entry = (key: string) => tensor.externalData?.find((e) => e.key === key)?.value;
  return `${type} in ${entry("location")}`;
}

function rawNumbers(tensor: TensorProto): (number | bigint | string)[] | undefined {
  const bytes = new Uint8Array(tensor.rawData!).buffer;
  switch (elementName(tensor.dataType)) {
    case "float":
      return Array.from(new Float32Array(bytes), floatText);
    case "int64":
      return [...new BigInt64Array(bytes)];
    case "bool":
      return [...new Uint8Array(bytes)];
    default:
      return undefined;
  }
}

function typeText(info: ValueInfoProto): string {
  const { elemType, shape } = info.type.tensorType;
  const extent = (d: Dimension) => d.dimParam ?? (d.dimValue === undefined ? "?" : String(d.dimValue));
  return `${elementName(elemType) ?? elemType}[${(shape?.dim ?? []).map(extent).join(", ")}]`;
}
