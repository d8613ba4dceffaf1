// compile(): a description and its weights become an artefact on disk.

import { createHash } from "node:crypto";
import { closeSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { optimise, targetOf } from "../compile.js";
import { emitOnnx, type OnnxBundle, writeOnnxBundle } from "../emit-onnx/emit.js";
import type { Json, OnnxManifest } from "../emit-onnx/manifest.js";
import type { Module } from "../ir/graph.js";
import type { RunOptions } from "../passes/pass.js";
import { fail } from "../support/diagnostic.js";
import type { BuildOptions } from "../targets.js";
import { version } from "../version.js";
import { type LoadedModel, loadModel, type ModelOptions, samplerParts } from "./load.js";
import { replaceDirectory } from "./output.js";
import { vocabularyOf } from "./vocabulary.js";

export interface CompileOptions extends Omit<ModelOptions, "length">, BuildOptions {
  readonly target: string;
  /** Sequence lengths, sharing one weight file; the description's own by default. */
  readonly lengths?: readonly number[];
  /** Oldest ONNX Runtime that must read the files, "1.18" for example. */
  readonly minOrt?: string;
  /** Also emit sample.onnx, the whole sampling loop. */
  readonly sample?: boolean;
  readonly run?: RunOptions;
}

/** What was built, before it is written. */
export interface Built {
  readonly models: readonly LoadedModel[];
  /** One planned module per length. */
  readonly planned: readonly Module[];
  readonly bundle: OnnxBundle;
}

/** Compiles in memory. Throws DlmcError (exit 2 for bad input, 3 for what the target cannot do). */
export function build(options: CompileOptions): Built {
  const target = targetOf(options.target);
  const lengths = options.lengths ?? [undefined];
  const models = lengths.map((length) => loadModel({ ...options, ...(length !== undefined && { length }) }));
  const first = models[0]!;
  if (first.module.graphs.length === 0)
    fail("compile/no-graph", `the part "${first.description.part}" has no graph to compile`, {
      file: first.file,
      pointer: "/part",
      help: "`dlmc inspect --schedule` shows its tables",
    });
  const planned = models.map((model) => optimise(model.module, target, options, options.run));
  const bundle = emitOnnx(
    planned.map((module, i) => ({ module, length: sequenceOf(models[i]!) })),
    {
      version,
      profile: options.profile ?? "standard",
      ...(options.minOrt !== undefined && { minOrt: options.minOrt }),
      sample: options.sample ?? false,
      dft: options.fft === "dft",
      facts: facts(first, options),
    },
  );
  return { models, planned, bundle };
}

/** Compiles into `outDir`, which is replaced as a whole or not at all. */
export function compile(options: CompileOptions & { readonly outDir: string }): OnnxManifest {
  const { bundle } = build(options);
  return replaceDirectory(options.outDir, (directory) =>
    writeOnnxBundle(bundle, (name) => {
      const handle = openSync(join(directory, name), "wx");
      return { write: (bytes) => writeAll(handle, bytes), close: () => closeSync(handle) };
    }),
  );
}

function writeAll(handle: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(handle, bytes, at);
}

/** The length a loaded model was lowered for. */
export function sequenceOf(model: LoadedModel): number {
  return model.module.dims.get("L")!.value!;
}

/** What the manifest says beside the graphs: the model, its sampler (all that the runtime's loop needs) and the flags. */
function facts(model: LoadedModel, options: CompileOptions): Readonly<Record<string, Json>> {
  const { description } = model;
  const sampler = samplerParts(model);
  const vocabulary = vocabularyOf(model);
  return {
    model: {
      name: description.name,
      part: description.part,
      descriptionSha256: createHash("sha256").update(model.text).digest("hex"),
    },
    flags: {
      target: options.target,
      spectra: options.spectra ?? "fold",
      ...(options.fft !== undefined && { fft: options.fft }),
      ...(options.synthetic !== undefined && { synthetic: options.synthetic }),
    },
    ...(vocabulary !== undefined && { vocabulary: vocabulary as unknown as Json }),
    ...(sampler !== undefined && {
      sampler: { ...sampler.parts, constants: sampler.constants } as unknown as Json,
    }),
  };
}
