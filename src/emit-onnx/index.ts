// The ONNX back end: what the rest of the compiler may use of it.
export { defaultRelease, limitsFor, portableOpset, runtimeReleases } from "./capability/opsets.js";
export {
  type BoundModule,
  type EmitOnnxOptions,
  emitOnnx,
  type OnnxBundle,
  type OnnxProfile,
  type OpenFile,
  writeOnnxBundle,
} from "./emit.js";
export { onnxOps } from "./lowerings/index.js";
export type { Json, ManifestGraph, ManifestPort, OnnxManifest } from "./manifest.js";
export { pointerKey } from "./model.js";
export type { ModelProto } from "./proto/messages.js";
export { decodeModel } from "./proto/read.js";
export { onnxText } from "./text.js";
export { weightFile } from "./weight-pool.js";
