// The public API: what other builds import. The command line is a thin user of it.
//
//   import { compile, check, openSession, inspect } from "dlmc";
//   compile({ model: "model.json", target: "onnx", outDir: "out" });

export { type CheckOptions, check, type ModelCheck } from "./api/check.js";
export { type Built, build, type CompileOptions, compile } from "./api/compile.js";
export { type Demo, demo } from "./api/demo.js";
export { type GenerateOptions, openSession, readTokens, type Session } from "./api/generate.js";
export { type Imported, type ImportOptions, importCheckpoint, importLayouts } from "./api/import.js";
export {
  type Inspection,
  inspect,
  inspectSchedule,
  parameters,
  resolved,
  type ScheduleInspection,
} from "./api/inspect.js";
export {
  inspectMemory,
  inspectTraffic,
  type MemoryInspection,
  type TrafficInspection,
  type WgslInspectOptions,
} from "./api/inspect-wgsl.js";
export { type LoadedModel, loadModel, type ModelOptions } from "./api/load.js";
export { samplerPlan } from "./api/sampler-source.js";
export type { Description } from "./description/index.js";
export type { OnnxManifest } from "./emit-onnx/manifest.js";
export type { WgslManifest } from "./emit-wgsl/bundle/manifest.js";
export {
  type Diagnostic,
  DlmcBug,
  DlmcError,
  type ExitCode,
  exitCodes,
  type Note,
} from "./support/diagnostic.js";
export { formatDiagnostics } from "./support/frame.js";
export { type BuildOptions, targets } from "./targets.js";
export { version } from "./version.js";
