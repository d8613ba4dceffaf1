// ModelProto -> bytes. The bytes depend on the message alone: protobufjs writes fields in order of their number
// and lists in their own order, and dlmc writes no maps.
import protobuf from "protobufjs";
import { onnxDescriptor } from "./descriptor.js";
import type { ModelProto } from "./messages.js";

/** The protobufjs type of ModelProto, shared with the reader. */
export const modelType = protobuf.Root.fromJSON(onnxDescriptor).resolveAll().lookupType("onnx.ModelProto");

/** Serialises a model. Initializers may point to external data; their bytes are not read here. */
export function encodeModel(model: ModelProto): Uint8Array {
  return modelType.encode(model as unknown as protobuf.Message).finish();
}
