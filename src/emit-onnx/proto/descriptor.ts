// The messages of an ONNX file as a protobufjs JSON descriptor, written from the field numbers of the ONNX
// specification (IR version 13, onnx/onnx at v1.21). Only what dlmc writes or needs to read back is here;
// unknown fields are skipped by every protobuf reader.
import type { IField, INamespace, IType } from "protobufjs";

const entries = "StringStringEntryProto";

/** Shorthand: `[number, type, "repeated"?]` per field. */
type FieldTable = Readonly<Record<string, readonly [id: number, type: string, rule?: "repeated" | "packed"]>>;

function message(fields: FieldTable, rest: Partial<IType> = {}): IType {
  const table: Record<string, IField> = {};
  for (const [name, [id, type, rule]] of Object.entries(fields)) {
    if (rule === undefined) table[name] = { id, type };
    else table[name] = { id, type, rule: "repeated", options: { packed: rule === "packed" } };
  }
  // Fields of "proto2" keep zeros that were set on purpose: `axis = 0` must be written.
  return { edition: "proto2", fields: table, ...rest };
}

/** Package `onnx`. Names are the camel case of the specification's. */
export const onnxDescriptor: INamespace = {
  nested: {
    onnx: {
      nested: {
        ModelProto: message({
          irVersion: [1, "int64"],
          producerName: [2, "string"],
          producerVersion: [3, "string"],
          domain: [4, "string"],
          modelVersion: [5, "int64"],
          docString: [6, "string"],
          graph: [7, "GraphProto"],
          opsetImport: [8, "OperatorSetIdProto", "repeated"],
          metadataProps: [14, entries, "repeated"],
          functions: [25, "FunctionProto", "repeated"],
        }),
        OperatorSetIdProto: message({ domain: [1, "string"], version: [2, "int64"] }),
        StringStringEntryProto: message({ key: [1, "string"], value: [2, "string"] }),
        GraphProto: message({
          node: [1, "NodeProto", "repeated"],
          name: [2, "string"],
          initializer: [5, "TensorProto", "repeated"],
          docString: [10, "string"],
          input: [11, "ValueInfoProto", "repeated"],
          output: [12, "ValueInfoProto", "repeated"],
          valueInfo: [13, "ValueInfoProto", "repeated"],
          metadataProps: [16, entries, "repeated"],
        }),
        NodeProto: message({
          input: [1, "string", "repeated"],
          output: [2, "string", "repeated"],
          name: [3, "string"],
          opType: [4, "string"],
          attribute: [5, "AttributeProto", "repeated"],
          docString: [6, "string"],
          domain: [7, "string"],
          overload: [8, "string"],
          metadataProps: [9, entries, "repeated"],
        }),
        AttributeProto: message({
          name: [1, "string"],
          f: [2, "float"],
          i: [3, "int64"],
          s: [4, "bytes"],
          t: [5, "TensorProto"],
          g: [6, "GraphProto"],
          floats: [7, "float", "repeated"],
          ints: [8, "int64", "repeated"],
          strings: [9, "bytes", "repeated"],
          tensors: [10, "TensorProto", "repeated"],
          graphs: [11, "GraphProto", "repeated"],
          docString: [13, "string"],
          type: [20, "int32"],
          refAttrName: [21, "string"],
        }),
        TensorProto: message({
          dims: [1, "int64", "repeated"],
          dataType: [2, "int32"],
          floatData: [4, "float", "packed"],
          int32Data: [5, "int32", "packed"],
          stringData: [6, "bytes", "repeated"],
          int64Data: [7, "int64", "packed"],
          name: [8, "string"],
          rawData: [9, "bytes"],
          doubleData: [10, "double", "packed"],
          uint64Data: [11, "uint64", "packed"],
          docString: [12, "string"],
          externalData: [13, entries, "repeated"],
          dataLocation: [14, "int32"],
          metadataProps: [16, entries, "repeated"],
        }),
        ValueInfoProto: message({
          name: [1, "string"],
          type: [2, "TypeProto"],
          docString: [3, "string"],
          metadataProps: [4, entries, "repeated"],
        }),
        TypeProto: message(
          { tensorType: [1, "Tensor"], denotation: [6, "string"] },
          {
            oneofs: { value: { oneof: ["tensorType"] } },
            nested: { Tensor: message({ elemType: [1, "int32"], shape: [2, "TensorShapeProto"] }) },
          },
        ),
        TensorShapeProto: message(
          { dim: [1, "Dimension", "repeated"] },
          {
            nested: {
              Dimension: message(
                { dimValue: [1, "int64"], dimParam: [2, "string"], denotation: [3, "string"] },
                { oneofs: { value: { oneof: ["dimValue", "dimParam"] } } },
              ),
            },
          },
        ),
        FunctionProto: message({
          name: [1, "string"],
          input: [4, "string", "repeated"],
          output: [5, "string", "repeated"],
          attribute: [6, "string", "repeated"],
          node: [7, "NodeProto", "repeated"],
          docString: [8, "string"],
          opsetImport: [9, "OperatorSetIdProto", "repeated"],
          domain: [10, "string"],
          attributeProto: [11, "AttributeProto", "repeated"],
          valueInfo: [12, "ValueInfoProto", "repeated"],
          overload: [13, "string"],
          metadataProps: [14, entries, "repeated"],
        }),
      },
    },
  },
};
