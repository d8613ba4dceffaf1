// Bytes -> ModelProto, for tests, for `dlmc inspect` of an emitted file and for the CUDA proof of a written file.
import type { ModelProto } from "./messages.js";
import { modelType } from "./write.js";

/** Decodes a serialised model; 64-bit integers come back as numbers. Throws protobufjs's error on damaged bytes. */
export function decodeModel(bytes: Uint8Array): ModelProto {
  const decoded = modelType.decode(bytes);
  return modelType.toObject(decoded, { longs: Number, arrays: true }) as unknown as ModelProto;
}
