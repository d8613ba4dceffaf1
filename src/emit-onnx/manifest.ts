// manifest.json of an ONNX bundle: what each file is, what its inputs and outputs mean, how to sample, and the
// hashes that say which inputs and which compiler it came from. The runtime reads nothing else to run a model.
import type { Dim } from "../ir/dim.js";
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
  "embed.tokens": "token ids",
  "embed.x": "normalised embeddings of the tokens",
  "denoise.x": "noisy latent x_t",
  "denoise.level": "the number the time features take, one per row",
  "denoise.prior_scale": "alpha / sigma^2 at this level, one per row",
  "denoise.c_in": "factor of x where the network reads it, one per row",
  "denoise.c_skip": "factor of x in x0 = c_skip x + c_out output, one per row",
  "denoise.c_out": "factor of the network's output in x0, one per row",
  "denoise.self_cond": "the previous prediction of x0; zeros in the first step",
  "denoise.simplex": "noisy logits S_t: softmax(S_t) E enters the network",
  "denoise.fixed_mask": "true where the token is given",
  "denoise.fixed_tokens": "the given tokens",
  "denoise.x0": "predicted clean latent",
  "denoise.logits": "scores over the vocabulary",
  "block.tokens": "token ids of the block under way",
  "block.positions": "the block's positions in the text",
  "block.level": "the number the time features take, one per row",
  "block.logits": "scores over the vocabulary, for the block",
  "prefix.positions": "positions of the block to come",
  "cache.*": "rows of settled positions; those from the block on hold anything",
  "tail.*": "the last rows before the block; zeros before the first",
  "prefix.*": "what settled positions add to the block's rows",
  "rows.*": "the block's rows, for the cache once it is settled",
  "next.*": "the last rows after the block, the tail once it is settled",
  "encode.encoder": "the output of an encoder that runs elsewhere",
  "denoise.encoder_mask": "true where the encoder's output has a position",
  "round.encoder_mask": "true where the encoder's output has a position",
  "round.x": "latent to be rounded",
  "round.logits": "scores over the vocabulary",
  "round.tokens": "the best token per position, ties to the lowest id",
  "time.level": "noise levels, one per step of the timestep grid",
  "time.time": "one row per level: everything that depends on the level alone",
  "mixer.x": "activations",
  "mixer.y": "mixed activations",
  "block.x": "activations",
  "block.y": "activations after the block",
  "step.x_last": "latent after the last step",
  "step.x": "noisy latent x_t",
  "step.self_cond": "the previous step's x0; zeros in the first step",
  "step.x0_prev": "the previous step's x0; zeros in the first step",
  "step.noise": "standard normal draws of this step",
  "step.coefficients": "[a, b, c, s] of x_next = a x0 + b x + c x0_prev + s noise",
  "step.level": "the number the time features take",
  "step.prior_scale": "alpha / sigma^2 at this step",
  "step.c_in": "factor of x where the network reads it",
  "step.c_skip": "factor of x in x0 = c_skip x + c_out output",
  "step.c_out": "factor of the network's output in x0",
  "step.fixed_mask": "true where fixed_x replaces x (infilling)",
  "step.fixed_x": "latent of the fixed positions, already at this step's noise level",
  "step.encoder_mask": "true where the encoder's output has a position",
  "step.time": "the row of the table @time gives for this step's level",
  "step.step": "number of the step, the row of the time table",
  "step.logits": "scores over the vocabulary of the predicted clean latent",
  "step.x_next": "latent of the next step",
  "step.x0": "predicted clean latent",
  "step.tokens": "tokens of the predicted clean latent",
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
