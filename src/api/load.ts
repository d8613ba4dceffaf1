// A model from disk: its description, its weights (a checkpoint or synthetic ones) and its sampler's table.

import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import { type BindWeights, describe, type Lowered, lowerBound } from "../compile.js";
import type { Description, Timesteps } from "../description/description.js";
import { type Plan, planOf, type SamplerParts, type SamplerPlan, samplerPlanOf } from "../diffusion/index.js";
import type { Tensor } from "../ir/tensor.js";
import { type Diagnostic, fail } from "../support/diagnostic.js";
import { pathKind } from "../weights/file-source.js";
import { openCheckpoint, openWeights } from "../weights/open.js";
import { resolveParameters } from "../weights/resolve.js";
import { memoryStore, type ParameterDeclaration, type WeightStore } from "../weights/store.js";
import { syntheticStore } from "../weights/synthetic.js";

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

/** The text of a description. Throws `model/open` (exit 2) when there is none, or when the file is something else. */
export function readModelText(path: string): string {
  if (pathKind(path) === "directory")
    fail("model/open", `${path} is a directory; a description was expected`, {
      help: `name its model.json${noDescription(path)}`,
    });
  if (/\.(safetensors|pt|pth|ckpt|bin|onnx|py)$/i.test(path))
    fail("model/open", `${path} is no description: descriptions are JSON`, {
      help: `name a model.json; weights go into its weights.file${noDescription(path)}`,
    });
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    return fail("model/open", `cannot read the description ${path}: ${(error as Error).message}`, {
      help: "name a model.json; docs/from-pytorch.md has one to start from, `dlmc import` writes one for a known checkpoint",
    });
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
  if (options.synthetic !== undefined) return syntheticStore(declared, options.synthetic);
  const weights = description.weights;
  const checkpoint =
    options.weights === undefined
      ? openWeights(weights, dirname(options.model))
      : openCheckpoint(options.weights);
  if (checkpoint === undefined) {
    if (declared.length === 0 && learned.length === 0) return memoryStore({});
    return fail("weights/none", `${options.model} names no weights and has ${declared.length} parameters`, {
      file: options.model,
      pointer: "/weights",
      help: "give --weights FILE, name the file in weights.file, or use --synthetic SEED",
    });
  }
  const map = { ...weights.map, ...Object.fromEntries(learned.map(({ name, from }) => [name, from])) };
  const constants = learned.map(
    ({ name, pointer, shape }): ParameterDeclaration => ({ name, shape, pointer }),
  );
  const parameters = [...declared, ...constants];
  return resolveParameters(parameters, checkpoint, { ...weights, map }, report, {
    values: options.values ?? true,
  });
}

interface LearnedConstant {
  readonly concept: "noise_schedule" | "timesteps";
  readonly name: string;
  readonly key: string;
  readonly from: string;
  readonly pointer: string;
  /** One element, or a vector. */
  readonly shape: readonly number[];
}

const constantOf = ({ shape, data }: Tensor): number | readonly number[] =>
  shape.length === 0 ? data[0]! : [...data];

/**
 * Constants of the noise schedule and knots of the grid that are tensors of the checkpoint:
 * `{ "loc": { "from": "proposal.loc" } }`.
 */
function learnedConstants(description: Description): LearnedConstant[] {
  if (!("noise_schedule" in description)) return [];
  const { noise_schedule: schedule, timesteps } = description;
  const shapeOf = (key: string): readonly number[] =>
    schedule.family === "learned_mlp" && ["w1", "b1", "w2"].includes(key) ? [schedule.hidden] : [];
  const knots = timesteps?.kind === "warp" ? [timesteps.knots] : [];
  return [
    ...learnedIn("noise_schedule", schedule, shapeOf),
    ...learnedIn("timesteps", timesteps ?? {}, () => knots),
  ];
}

function learnedIn(
  concept: "noise_schedule" | "timesteps",
  fields: object,
  shapeOf: (key: string) => readonly number[],
): LearnedConstant[] {
  return Object.entries(fields).flatMap(([key, value]) => {
    const from = typeof value === "object" && value !== null && "from" in value ? value.from : undefined;
    const name = `${concept}.${key}`;
    return typeof from === "string"
      ? [{ concept, name, key, from, pointer: `/${concept}/${key}`, shape: shapeOf(key) }]
      : [];
  });
}

/** Knots of a straight line in the place of those that come with the weights, for synthetic ones. */
function straight(timesteps: Timesteps): object {
  if (timesteps.kind !== "warp") return {};
  const from = Object.entries(timesteps).filter(([, value]) => typeof value === "object" && "from" in value);
  const line = Array.from({ length: timesteps.knots }, (_, i) => i);
  return Object.fromEntries(from.map(([key]) => [key, line]));
}

/** What `planOf` takes: the description's parts and the schedule constants that came with the weights. */
export interface SamplerSource {
  readonly parts: SamplerParts;
  readonly constants: Readonly<Record<string, number | readonly number[]>>;
}

/** The sampler of a model or sampler description; undefined for other parts. */
export function samplerParts({
  description,
  store,
}: Pick<LoadedModel, "description" | "store">): SamplerSource | undefined {
  if (description.part !== "model" && description.part !== "sampler") return undefined;
  const {
    state_space,
    noise_schedule,
    timesteps,
    time_conditioning,
    prediction_type,
    sampler,
    conditioning,
  } = description;
  const learned = learnedConstants(description);
  const read = (from: LearnedConstant["concept"]) =>
    learned
      .filter(({ concept }) => concept === from)
      .flatMap(({ name, key }) =>
        store.info(name) === undefined ? [] : [[key, constantOf(store.read(name))] as const],
      );
  const constants = read("noise_schedule");
  // A constant that names a tensor has its value in `constants`; synthetic weights take the family's default.
  const literal = Object.fromEntries(
    Object.entries(noise_schedule).filter(
      ([, value]) => typeof value !== "object" || value === null || !("from" in value),
    ),
  );
  const { vocabulary: _, ...state } = state_space;
  const { data_std, input_preconditioning } = description.embedding;
  const scaled = input_preconditioning !== "none" || prediction_type.target === "edm";
  const parts = {
    // Plans of embeddings do not depend on it.
    ...(state.kind !== "continuous_embedding" && { state_space: state }),
    noise_schedule: literal,
    timesteps: { ...timesteps, ...straight(timesteps), ...Object.fromEntries(read("timesteps")) },
    time_conditioning,
    prediction_type,
    ...(scaled && { embedding: { data_std, input_preconditioning } }),
    sampler,
    ...("mode" in conditioning && conditioning.mode === "renoised" && { conditioning }),
  } as unknown as SamplerParts;
  return { parts, constants: Object.fromEntries(constants) };
}

/**
 * The plan of a model's sampling loop. Throws DlmcError: `schedule/...`, `timesteps/...`, `model/no-sampler` for a part
 * without one.
 */
export function planOfModel(
  model: Pick<LoadedModel, "description" | "store" | "file">,
  steps?: number,
): Plan {
  const source = samplerParts(model);
  if (source === undefined)
    return fail("model/no-sampler", `the part "${model.description.part}" has no sampler`, {
      file: model.file,
      pointer: "/part",
      help: "generate needs a whole model",
    });
  return planOf(source.parts, {
    constants: source.constants,
    ...(steps !== undefined && { numSteps: steps }),
  });
}

/** The plan of a model with a continuous state. Throws what `planOfModel` throws, and `sampler/discrete-plan`. */
export function samplerPlan(
  model: Pick<LoadedModel, "description" | "store" | "file">,
  steps?: number,
): SamplerPlan {
  return samplerPlanOf(planOfModel(model, steps));
}
