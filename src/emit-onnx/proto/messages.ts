// TypeScript shapes of the ONNX messages that dlmc writes, and the numbers of ONNX's two enumerations.
// 64-bit integers are JavaScript numbers: no extent, offset or version here comes near 2^53.

/** TensorProto.DataType, the ones dlmc can meet. */
export const dataTypes = {
  float: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int16: 5,
  int32: 6,
  int64: 7,
  string: 8,
  bool: 9,
  float16: 10,
  double: 11,
  uint32: 12,
  uint64: 13,
  bfloat16: 16,
} as const;
/** ONNX's own name of an element type, as its type strings spell it: `tensor(float)`. */
export type OnnxElement = keyof typeof dataTypes;

/** AttributeProto.AttributeType. */
export const attributeTypes = {
  float: 1,
  int: 2,
  string: 3,
  tensor: 4,
  graph: 5,
  floats: 6,
  ints: 7,
  strings: 8,
} as const;

/** TensorProto.DataLocation. */
export const dataLocations = { default: 0, external: 1 } as const;

export interface StringEntry {
  readonly key: string;
  readonly value: string;
}

export interface TensorProto {
  readonly name?: string;
  readonly dims: readonly number[];
  readonly dataType: number;
  /** Little-endian, row-major. */
  readonly rawData?: Uint8Array;
  readonly externalData?: readonly StringEntry[];
  readonly dataLocation?: number;
}

export interface AttributeProto {
  readonly name: string;
  readonly type: number;
  readonly f?: number;
  readonly i?: number;
  readonly s?: Uint8Array;
  readonly t?: TensorProto;
  readonly g?: GraphProto;
  readonly floats?: readonly number[];
  readonly ints?: readonly number[];
  readonly strings?: readonly Uint8Array[];
}

export interface NodeProto {
  readonly name: string;
  readonly opType: string;
  readonly domain?: string;
  readonly input: readonly string[];
  readonly output: readonly string[];
  readonly attribute?: readonly AttributeProto[];
  readonly metadataProps?: readonly StringEntry[];
}

/** One extent: a number, a symbol, or nothing known. */
export interface Dimension {
  readonly dimValue?: number;
  readonly dimParam?: string;
}

export interface ValueInfoProto {
  readonly name: string;
  readonly docString?: string;
  readonly type: {
    readonly tensorType: {
      readonly elemType: number;
      readonly shape?: { readonly dim: readonly Dimension[] };
    };
  };
}

export interface GraphProto {
  readonly name: string;
  readonly node: readonly NodeProto[];
  readonly initializer: readonly TensorProto[];
  readonly input: readonly ValueInfoProto[];
  readonly output: readonly ValueInfoProto[];
  readonly valueInfo: readonly ValueInfoProto[];
  readonly docString?: string;
}

export interface ModelProto {
  readonly irVersion: number;
  readonly opsetImport: readonly { readonly domain: string; readonly version: number }[];
  readonly producerName: string;
  readonly producerVersion: string;
  readonly graph: GraphProto;
  readonly docString?: string;
  readonly metadataProps?: readonly StringEntry[];
}

/** The ONNX element name of a DataType number. */
export function elementName(dataType: number): OnnxElement | undefined {
  return (Object.keys(dataTypes) as OnnxElement[]).find((name) => dataTypes[name] === dataType);
}
