// A model from disk: its description and its weights, a checkpoint or synthetic ones.

import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import { type BindWeights, describe, type Lowered, lowerBound } from "../compile.js";
import type { Description } from "../description/description.js";
import { type Diagnostic, fail, Report } from "../support/diagnostic.js";
import { pathKind } from "../weights/file-source.js";
import { openCheckpoint, openWeights } from "../weights/open.js";
import { resolveParameters } from "../weights/resolve.js";
import { memoryStore, type ParameterDeclaration, type WeightStore } from "../weights/store.js";
import { syntheticStore } from "../weights/synthetic.js";
import { learnedConstants, type Scheduled } from "./sampler-source.js";

/** Where a model comes from. */
export interface ModelOptions {
  /** Path of the description. */
  readonly model: string;
  /** A weight file, shard index or directory that replaces the description's own. */
  readonly weights?: string;
  /** Seed of synthetic weights: no checkpoint is read. */
  readonly synthetic?: number;
  /** Sequence length; the description's own by default. */
  readonly length?: number;
  /** Read all weights once to find NaN and infinities; true by default. Without, headers are enough. */
  readonly values?: boolean;
  /** Sees what is legal but probably not meant; passed over by default. */
  readonly warn?: (warnings: readonly Diagnostic[]) => void;
}

/** A model ready to be compiled, checked or run. */
export interface LoadedModel extends Lowered {
  readonly file: string;
  readonly text: string;
  readonly store: WeightStore;
}

/**
 * Reads a description, lowers it and binds its weights.
 * Throws DlmcError (exit 2) with every problem of the description or of the weights.
 */
export function loadModel(options: ModelOptions): LoadedModel {
  const text = readModelText(options.model);
  const { description, warnings } = describe(text, options.model, options.length);
  let store = memoryStore({});
  const bind: BindWeights = (described, parameters, report) => {
    store = bindWeights(described, parameters, options, report);
    return store;
  };
  const lowered = lowerBound(description, options.model, bind);
  const all = [...warnings, ...lowered.warnings];
  if (all.length > 0) options.warn?.(all);
  return { ...lowered, file: options.model, text, store };
}

/**
 * A description and no weights but the constants of its schedule, which most have none of: enough for `planOfModel`.
 * Throws what `loadModel` throws.
 */
export function loadSchedule(options: ModelOptions): Scheduled {
  const { description, warnings } = describe(readModelText(options.model), options.model, options.length);
  const report = new Report(options.model);
  const store = bindWeights(description, [], options, report);
  report.throwIfErrors();
  const all = [...warnings, ...report.diagnostics];
  if (all.length > 0) options.warn?.(all);
  return { description, store, file: options.model };
}

/** The text of a description. Throws `model/open` (exit 2) when there is none, or when the file is something else, and `model/encoding`. */
export function readModelText(path: string): string {
  if (pathKind(path) === "directory")
    fail("model/open", `${path} is a directory; a description was expected`, {
      help: `name its model.json${noDescription(path)}`,
    });
  if (/\.(safetensors|pt|pth|ckpt|bin|onnx|py)$/i.test(path))
    fail("model/open", `${path} is no description: descriptions are JSON`, {
      help: `name a model.json; weights go into its weights.file${noDescription(path)}`,
    });
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    return fail("model/open", `cannot read the description ${path}: ${(error as Error).message}`, {
      help: "name a model.json; docs/from-pytorch.md has one to start from, `dlmc import` writes one for a known checkpoint",
    });
  }
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return fail("model/encoding", `${path} is no UTF-8 text`, { help: "save it as UTF-8" });
  }
}

const noDescription = (path: string): string =>
  `; \`dlmc import ${path}\` writes a description where the checkpoint is of a known system`;

function bindWeights(
  description: Description,
  declared: readonly ParameterDeclaration[],
  options: ModelOptions,
  report: Parameters<BindWeights>[2],
): WeightStore {
  const learned = learnedConstants(description);
  if (declared.length + learned.length === 0) return memoryStore({});
  if (options.synthetic !== undefined) return syntheticStore(declared, options.synthetic);
  const weights = description.weights;
  const checkpoint =
    options.weights === undefined
      ? openWeights(weights, dirname(options.model))
      : openCheckpoint(options.weights);
  if (checkpoint === undefined) {
    const needs =
      declared.length > 0
        ? `has ${declared.length} parameters`
        : `its field ${learned[0]!.concept} takes ${learned.map(({ from }) => JSON.stringify(from)).join(", ")} from them`;
    return fail("weights/none", `${options.model} names no weights and ${needs}`, {
      file: options.model,
      pointer: "/weights",
      help: "give --weights FILE, name the file in weights.file, or use --synthetic SEED",
    });
  }
  // Constants of the schedule alone are a few tensors of a checkpoint that is for more.
  const whole = declared.length > 0;
  const named = learned.map(({ name, from }) => [name, from] as const);
  const map = { ...(whole && weights.map), ...Object.fromEntries(named) };
  const constants = learned.map(
    ({ name, pointer, shape }): ParameterDeclaration => ({ name, shape, pointer }),
  );
  const parameters = [...declared, ...constants];
  return resolveParameters(parameters, checkpoint, { ...weights, map }, report, {
    values: options.values ?? true,
    unused: whole,
  });
}
