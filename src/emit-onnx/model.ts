// A built graph -> ModelProto: names, types of every value, constants inline or as a range of the weight file.

import { bug } from "../support/diagnostic.js";
import type { SafetensorsLayout } from "../weights/writer.js";
import { attributeProto } from "./attributes.js";
import type { BuiltGraph, BuiltInitializer, BuiltNode } from "./built-graph.js";
import { irVersionFor, nodeMetadataIrVersion, type RuntimeRelease } from "./capability/opsets.js";
import {
  type Dimension,
  dataLocations,
  dataTypes,
  type GraphProto,
  type ModelProto,
  type NodeProto,
  type StringEntry,
  type TensorProto,
  type ValueInfoProto,
} from "./proto/messages.js";
import type { OnnxValue } from "./value.js";
import { weightFile } from "./weight-pool.js";

/** Key of the JSON pointer in a node's metadata. */
export const pointerKey = "dlmc.pointer";

export interface ModelOptions {
  readonly limits: RuntimeRelease;
  readonly layout: SafetensorsLayout;
  readonly version: string;
  /** What an input or output of the outermost graph is, in words, by name. */
  readonly meaning?: (name: string) => string | undefined;
  /** Facts about the build, in order, for ModelProto.metadata_props. */
  readonly metadata?: readonly StringEntry[];
}

/** The message of a finished outermost graph. */
export function modelProto(graph: BuiltGraph, options: ModelOptions): ModelProto {
  const irVersion = irVersionFor(graph.opset, options.limits);
  const places = new Map(options.layout.tensors.map((tensor) => [tensor.name, tensor]));
  const withPointers = irVersion >= nodeMetadataIrVersion;

  const nameOf = (value: OnnxValue): string =>
    graph.names.get(value) ?? bug(`value ${value.name} has no name`);
  const info = (value: OnnxValue): ValueInfoProto => ({
    name: nameOf(value),
    type: {
      tensorType: {
        elemType: dataTypes[value.type.element],
        shape: {
          dim: value.type.shape.map(
            (extent): Dimension =>
              extent.value === undefined ? { dimParam: extent.key } : { dimValue: extent.value },
          ),
        },
      },
    },
  });
  const port = (value: OnnxValue): ValueInfoProto => {
    const meaning = options.meaning?.(nameOf(value));
    return { ...info(value), ...(meaning === undefined ? {} : { docString: meaning }) };
  };
  const node = (built: BuiltNode): NodeProto => {
    const attribute = Object.entries(built.attributes).map(([name, value]) =>
      attributeProto(name, value, subgraph),
    );
    return {
      name: built.name,
      opType: built.op,
      ...(built.domain === "" ? {} : { domain: built.domain }),
      input: built.inputs.map((value) => (value === undefined ? "" : nameOf(value))),
      output: built.outputs.map(nameOf),
      ...(attribute.length === 0 ? {} : { attribute }),
      ...(withPointers && built.pointer !== ""
        ? { metadataProps: [{ key: pointerKey, value: built.pointer }] }
        : {}),
    };
  };
  const initializer = ({ value, data }: BuiltInitializer): TensorProto => {
    const head = {
      name: nameOf(value),
      dims: value.type.shape.map((extent) => extent.value!),
      dataType: dataTypes[value.type.element],
    };
    if (typeof data !== "string") return { ...head, rawData: data };
    const place = places.get(data) ?? bug(`weight ${data} is not in the layout`);
    return {
      ...head,
      externalData: [
        { key: "location", value: weightFile },
        { key: "offset", value: String(place.offset) },
        { key: "length", value: String(place.length) },
      ],
      dataLocation: dataLocations.external,
    };
  };
  const body = (built: BuiltGraph, describe = info): GraphProto => {
    const outputs = new Set(built.outputs);
    const inner = built.nodes.flatMap((n) => n.outputs).filter((value) => !outputs.has(value));
    return {
      name: built.name,
      node: built.nodes.map(node),
      initializer: built.initializers.map(initializer),
      input: built.inputs.map(describe),
      output: built.outputs.map(describe),
      valueInfo: inner.map(info),
    };
  };
  const subgraph = (built: BuiltGraph): GraphProto => body(built);

  return {
    irVersion,
    opsetImport: [
      { domain: "", version: graph.opset },
      ...[...graph.domains]
        .filter((domain) => domain !== "")
        .sort()
        .map((domain) => ({ domain, version: 1 })),
    ],
    producerName: "dlmc",
    producerVersion: options.version,
    graph: body(graph, port),
    ...(options.metadata === undefined ? {} : { metadataProps: options.metadata }),
  };
}
