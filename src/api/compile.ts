// compile(): a description and its weights become an artefact on disk.

import { createHash } from "node:crypto";
import { closeSync, mkdirSync, openSync, readFileSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";
import { optimise, targetOf } from "../compile.js";
import { positionAxes } from "../description/positions.js";
import { planOf, planTable } from "../diffusion/index.js";
import { emitOnnx, type OnnxBundle, writeOnnxBundle } from "../emit-onnx/emit.js";
import type { Json, OnnxManifest } from "../emit-onnx/manifest.js";
import { emitWgsl, type WgslBundle, writeWgslBundle } from "../emit-wgsl/bundle/emit.js";
import type { WgslManifest } from "../emit-wgsl/bundle/manifest.js";
import type { Module } from "../ir/graph.js";
import type { RunOptions } from "../passes/pass.js";
import { fail } from "../support/diagnostic.js";
import type { BuildOptions } from "../targets.js";
import { version } from "../version.js";
import { type LoadedModel, loadModel, type ModelOptions } from "./load.js";
import { checkReplaceable, replaceDirectory } from "./output.js";
import { planOfModel, type SamplerSource, samplerParts } from "./sampler-source.js";
import { vocabularyOf } from "./vocabulary.js";

export interface CompileOptions extends Omit<ModelOptions, "length">, BuildOptions {
  readonly target: string;
  /** Sequence lengths, sharing one weight file; the description's own by default. */
  readonly lengths?: readonly number[];
  /** Oldest ONNX Runtime that must read the files, "1.18" for example. */
  readonly minOrt?: string;
  /** Also emit sample.onnx, the whole sampling loop. */
  readonly sample?: boolean;
  /** JSON list of `{ name, prompt }` that the page of a WGSL bundle offers. */
  readonly examples?: string;
  readonly run?: RunOptions;
}

/** What was built, before it is written. */
export interface Built {
  readonly models: readonly LoadedModel[];
  /** One planned module per length. */
  readonly planned: readonly Module[];
  readonly bundle:
    | { readonly target: "onnx"; readonly files: OnnxBundle }
    | { readonly target: "wgsl"; readonly files: WgslBundle };
}

/** Compiles in memory. Throws DlmcError (exit 2 for bad input, such as `compile/sample`, 3 for what the target cannot do). */
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
  if (options.sample === true && !first.module.graphs.some(({ name }) => name === "step"))
    fail("compile/sample", "sample.onnx is the loop of embeddings, and this model has no @step", {
      file: first.file,
      help: "leave the sample out: the runtime has the loop of every model",
    });
  if (models.length > 1 && "sampler" in first.description && positionAxes(first.description).noise)
    fail(
      "compile/positions-lengths",
      "times of each position are planned for one length, and several are asked for",
      {
        file: first.file,
        pointer: "/timesteps",
        help: "compile one bundle for each length",
      },
    );
  // What came with the weights is seen here for the first time; the rest of the schedule the reader has walked.
  if (Object.keys(samplerParts(first)?.constants ?? {}).length > 0) planOfModel(first);
  const planned = models.map((model) => optimise(model.module, target, options, options.run));
  const modules = planned.map((module, i) => ({ module, length: sequenceOf(models[i]!) }));
  return { models, planned, bundle: emit(modules, first, options) };
}

function emit(
  modules: readonly { readonly module: Module; readonly length: number }[],
  model: LoadedModel,
  options: CompileOptions,
): Built["bundle"] {
  const shared = { version, facts: facts(model, options) };
  if (options.target === "wgsl")
    return { target: "wgsl", files: emitWgsl(modules, { ...shared, batch: options.batch ?? 1 }) };
  const files = emitOnnx(modules, {
    ...shared,
    profile: options.profile ?? "standard",
    ...(options.minOrt !== undefined && { minOrt: options.minOrt }),
    sample: options.sample ?? false,
    renoised: samplerParts(model)?.parts.conditioning?.mode === "renoised",
    dft: options.fft === "dft",
  });
  return { target: "onnx", files };
}

/**
 * Compiles into `outDir`, which is replaced as a whole or not at all. Throws `output/not-ours` where that would delete
 * what dlmc did not write.
 */
export function compile(options: CompileOptions & { readonly outDir: string }): OnnxManifest | WgslManifest {
  checkReplaceable(options.outDir);
  const { bundle } = build(options);
  return replaceDirectory(options.outDir, (directory) => {
    const open = (name: string) => {
      const path = join(directory, name);
      mkdirSync(dirname(path), { recursive: true });
      const handle = openSync(path, "wx");
      return { write: (bytes: Uint8Array) => writeAll(handle, bytes), close: () => closeSync(handle) };
    };
    return bundle.target === "wgsl"
      ? writeWgslBundle(bundle.files, open)
      : writeOnnxBundle(bundle.files, open);
  });
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
      ...(options.precision === "f16" && { precision: "f16" }),
      ...(options.fft !== undefined && { fft: options.fft }),
      ...(options.synthetic !== undefined && { synthetic: options.synthetic }),
    },
    ...(options.examples !== undefined && { examples: readExamples(options.examples) }),
    ...(vocabulary !== undefined && { vocabulary: vocabulary as unknown as Json }),
    ...(sampler !== undefined && {
      sampler: { ...sampler.parts, constants: sampler.constants } as unknown as Json,
      ...(options.target === "wgsl" && planFacts(sampler)),
    }),
  };
}

/** The plan of the compiled number of steps, where its rows say all of it. */
function planFacts({ parts, constants }: SamplerSource): Readonly<Record<string, Json>> {
  const table = planTable(planOf(parts, { constants }));
  return table === undefined ? {} : { plan: table as Json };
}

/** The examples of a page. Throws `compile/examples`. */
function readExamples(file: string): Json {
  const wrong = (why: string): never =>
    fail("compile/examples", `cannot read examples from ${file}: ${why}`, {
      file,
      help: 'expected a JSON list such as [{ "name": "easy", "prompt": "1__4" }]',
    });
  let list: unknown;
  try {
    list = JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    return wrong((error as Error).message);
  }
  const fits = (entry: { name?: unknown; prompt?: unknown } | null): boolean =>
    typeof entry?.name === "string" && typeof entry.prompt === "string";
  if (!Array.isArray(list) || !list.every(fits)) return wrong("an entry is no { name, prompt }");
  return list.map(({ name, prompt }) => ({ name, prompt }));
}
