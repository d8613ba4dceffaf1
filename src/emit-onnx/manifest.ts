// manifest.json of an ONNX bundle: what each file is, what its inputs and outputs mean, how to sample, and the
// hashes that say which inputs and which compiler it came from. The runtime reads nothing else to run a model.
import type { Dim } from "../ir/dim.js";
import { portMeanings } from "../ir/port-meanings.js";
import type { OnnxElement } from "./proto/messages.js";
import type { OnnxType } from "./value.js";

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

export interface ManifestPort {
  readonly name: string;
  readonly element: OnnxElement;
  /** Numbers, and names of extents that are free at run time. */
  readonly shape: readonly (number | string)[];
  readonly meaning?: string;
}

export interface ManifestGraph {
  /** `step`, `denoise`, `embed`, `round`, `time`, `encode`, `sample`, `mixer`, `block`. */
  readonly name: string;
  readonly file: string;
  /** Sequence length the file is bound to; absent when it serves every length. */
  readonly length?: number;
  readonly opset: number;
  readonly irVersion: number;
  /** Operators for which a provider has no kernel and the CPU takes over, by the table of ONNX Runtime 1.24. */
  readonly fallbacks: { readonly cuda: readonly string[]; readonly webgpu: readonly string[] };
  readonly sha256: string;
  readonly bytes: number;
  readonly inputs: readonly ManifestPort[];
  readonly outputs: readonly ManifestPort[];
}

export interface OnnxManifest {
  readonly format: "dlmc-onnx";
  readonly version: 1;
  readonly producer: { readonly name: "dlmc"; readonly version: string };
  readonly profile: string;
  /** Oldest ONNX Runtime release that reads the files. */
  readonly minOrt: string;
  readonly graphs: readonly ManifestGraph[];
  readonly weights: { readonly file: string; readonly sha256: string; readonly bytes: number };
  /** Facts of the caller: input hashes, flags, the sampler's plan, the model's name, vocabulary and so on. */
  readonly [fact: string]: Json | object;
}

/** What the ports of the graphs with stable names are. */
const meanings: Readonly<Record<string, string>> = {
  ...portMeanings,
  "time.level": "noise levels, one per step of the timestep grid",
  "time.time": "one row per level: everything that depends on the level alone",
  "mixer.x": "activations",
  "mixer.y": "mixed activations",
  "block.x": "activations",
  "block.y": "activations after the block",
  "step.x_last": "latent after the last step",
  "step.fixed_x": "latent of the fixed positions, already at this step's noise level",
  "step.time": "the row of the table @time gives for this step's level",
  "step.step": "number of the step, the row of the time table",
};

/** The manifest's entry for one input or output. */
export function manifestPort(graph: string, name: string, type: OnnxType): ManifestPort {
  const key = graph === "sample" ? `step.${name}` : `${graph}.${name}`;
  const meaning = meanings[key] ?? meanings[name.replace(/\..*/, ".*")];
  return {
    name,
    element: type.element,
    shape: type.shape.map((extent: Dim) => extent.value ?? extent.key),
    ...(meaning === undefined
      ? {}
      : { meaning: graph === "sample" && perStep.has(name) ? `${meaning}, per step` : meaning }),
  };
}

const perStep = new Set(["noise", "coefficients", "level", "prior_scale", "c_in", "c_skip", "c_out"]);

/** Two-space JSON with a final newline; keys in the order the object has them. */
export function manifestText(manifest: object): string {
  return `${JSON.stringify(manifest, undefined, 2)}\n`;
}
