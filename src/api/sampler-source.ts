// The sampler of a model: what a description says of it, the schedule's constants that come with the weights, the plan.

import type {
  Description,
  NoiseSchedule,
  StateSpace,
  TableSchedule,
  Timesteps,
} from "../description/description.js";
import { positionAxes } from "../description/positions.js";
import {
  type Plan,
  type PlanOptions,
  planOf,
  type SamplerParts,
  type SamplerPlan,
  samplerPlanOf,
} from "../diffusion/index.js";
import type { Tensor } from "../ir/tensor.js";
import { DlmcError, fail } from "../support/diagnostic.js";
import type { WeightStore } from "../weights/store.js";

/** A description and the store that has at least the constants of its schedule. */
export interface Scheduled {
  readonly description: Description;
  readonly store: WeightStore;
  readonly file: string;
}

/** Fields of a state space whose members may be tensors. */
const ofState = ["transition", "token_schedule"] as const;

/** A number of the schedule, the grid or the state's noise that is a tensor of the checkpoint. */
export interface LearnedConstant {
  readonly concept: "noise_schedule" | "timesteps" | `state_space.${(typeof ofState)[number]}`;
  readonly name: string;
  readonly key: string;
  readonly from: string;
  readonly pointer: string;
  /** One element, a vector or a matrix. */
  readonly shape: readonly number[];
}

const constantOf = ({ shape, data }: Tensor): number | readonly number[] =>
  shape.length === 0 ? data[0]! : [...data];

/** The rows of numbers that come one after the other; as they are without columns. */
function inRows(values: readonly number[], columns: number | undefined) {
  if (columns === undefined) return values;
  const rows = values.length / columns;
  return Array.from({ length: rows }, (_, i) => values.slice(i * columns, (i + 1) * columns));
}

/**
 * Constants of the noise schedule and knots of the grid that are tensors of the checkpoint:
 * `{ "loc": { "from": "proposal.loc" } }`.
 */
export function learnedConstants(description: Description): LearnedConstant[] {
  if (!("noise_schedule" in description)) return [];
  const { noise_schedule: schedule, timesteps } = description;
  const shapeOf = (key: string): readonly number[] => {
    if (schedule.family === "table") return stepsAndPositions(schedule);
    return schedule.family === "learned_mlp" && ["w1", "b1", "w2"].includes(key) ? [schedule.hidden] : [];
  };
  const knots = timesteps?.kind === "warp" ? [timesteps.knots] : [];
  return [
    ...learnedIn("noise_schedule", schedule, shapeOf),
    ...learnedIn("timesteps", timesteps ?? {}, () => knots),
    ...("state_space" in description ? learnedOfState(description.state_space) : []),
  ];
}

/** Training steps of a listed schedule, and its positions where each has a column. */
function stepsAndPositions({ discretization, positions }: TableSchedule): readonly number[] {
  return [discretization.num_train_steps, ...(positions === undefined ? [] : [positions])];
}

function learnedOfState(state: StateSpace): LearnedConstant[] {
  if (state.kind === "absorbing" && state.token_schedule !== undefined)
    return learnedIn("state_space.token_schedule", state.token_schedule, (key) => [
      key === "exponents" ? state.vocab_size - 1 : state.vocab_size,
    ]);
  if (state.kind !== "matrix") return [];
  const { transition, vocab_size: tokens } = state;
  return learnedIn("state_space.transition", transition, () => [
    tokens,
    transition.kind === "nearest" ? transition.dim : tokens,
  ]);
}

function learnedIn(
  concept: LearnedConstant["concept"],
  fields: object,
  shapeOf: (key: string) => readonly number[],
): LearnedConstant[] {
  return Object.entries(fields).flatMap(([key, value]) => {
    const from = typeof value === "object" && value !== null && "from" in value ? value.from : undefined;
    const name = `${concept}.${key}`;
    return typeof from === "string"
      ? [{ concept, name, key, from, pointer: `/${concept.replace(".", "/")}/${key}`, shape: shapeOf(key) }]
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

/**
 * alpha_bar in the place of what comes with the weights, for synthetic ones: cos^2(pi/2 u^e) at u = (i + 1) / (T + 1), where
 * later positions have the larger e and are noised later.
 */
function fallen(schedule: NoiseSchedule): object {
  if (schedule.family !== "table" || Array.isArray(schedule.alpha_bars)) return {};
  const [steps, columns] = stepsAndPositions(schedule) as [number, number?];
  const values = Array.from({ length: steps * (columns ?? 1) }, (_, k) => {
    const [i, p] = [Math.floor(k / (columns ?? 1)), k % (columns ?? 1)];
    return Math.cos((Math.PI / 2) * ((i + 1) / (steps + 1)) ** (1 + p / (columns ?? 1))) ** 2;
  });
  return { alpha_bars: inRows(values, columns) };
}

/** The fields that do not name a tensor. */
function literals(fields: object): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).filter(
      ([, value]) => typeof value !== "object" || value === null || !("from" in value),
    ),
  );
}

/** The constants of a concept that came with the weights, by the names of its fields. */
function readLearned({ description, store }: Pick<Scheduled, "description" | "store">) {
  const learned = learnedConstants(description);
  return (from: LearnedConstant["concept"]): Record<string, number | readonly number[]> =>
    Object.fromEntries(
      learned
        .filter(({ concept }) => concept === from)
        .flatMap(({ name, key }) =>
          store.info(name) === undefined ? [] : [[key, constantOf(store.read(name))] as const],
        ),
    );
}

/** A state space with the tensors of its noise in the place of their names. */
function withLearned(described: StateSpace, scheduled: Pick<Scheduled, "description" | "store">): StateSpace {
  const { vocabulary: _, ...state } = { vocabulary: undefined, ...described };
  const read = readLearned(scheduled);
  const noise = ofState.flatMap((field) => {
    const value: object | undefined = field in state ? state[field as never] : undefined;
    return value === undefined ? [] : [[field, { ...literals(value), ...read(`state_space.${field}`) }]];
  });
  return { ...state, ...Object.fromEntries(noise) };
}

/** What says which levels are visited, with the constants that came with the weights. */
export interface ScheduleSource extends Pick<SamplerParts, "noise_schedule" | "timesteps"> {
  readonly constants: NonNullable<PlanOptions["constants"]>;
}

/** The schedule of any description that has one; undefined for other parts. Without a grid, all trained steps. */
export function scheduleParts({
  description,
  store,
}: Pick<Scheduled, "description" | "store">): ScheduleSource | undefined {
  if (!("noise_schedule" in description)) return undefined;
  const { noise_schedule, timesteps = { kind: "all" } } = description;
  const read = readLearned({ description, store });
  // A constant that names a tensor has its value in `constants`; synthetic weights take the family's default.
  const { alpha_bars: listed, ...constants } = read("noise_schedule");
  const columns = noise_schedule.family === "table" ? noise_schedule.positions : undefined;
  return {
    noise_schedule: { ...literals(noise_schedule), ...(listed === undefined && fallen(noise_schedule)) },
    timesteps: { ...timesteps, ...straight(timesteps), ...read("timesteps") },
    constants: {
      ...constants,
      ...(listed !== undefined && { alpha_bars: inRows(listed as readonly number[], columns) }),
    },
  } as unknown as ScheduleSource;
}

/** What `planOf` takes: the description's parts and the schedule constants that came with the weights. */
export interface SamplerSource {
  readonly parts: SamplerParts;
  readonly constants: ScheduleSource["constants"];
}

/** The sampler of a model or sampler description; undefined for other parts. */
export function samplerParts(scheduled: Pick<Scheduled, "description" | "store">): SamplerSource | undefined {
  const { description } = scheduled;
  if (description.part !== "model" && description.part !== "sampler") return undefined;
  const { constants, noise_schedule, timesteps } = scheduleParts(scheduled)!;
  const { state_space, time_conditioning, prediction_type, sampler, conditioning } = description;
  const state = withLearned(state_space, scheduled);
  const { data_std, input_preconditioning } = description.embedding;
  const scaled = input_preconditioning !== "none" || prediction_type.target === "edm";
  const parts = {
    // Plans of embeddings do not depend on it, but for the number of positions that have levels of their own.
    ...(state.kind !== "continuous_embedding" && { state_space: state }),
    ...(positionAxes(description).noise && { state_space: { kind: state.kind, seq_len: state.seq_len } }),
    noise_schedule,
    timesteps,
    time_conditioning,
    prediction_type,
    ...(scaled && { embedding: { data_std, input_preconditioning } }),
    sampler,
    ...("self_conditioning" in description &&
      description.self_conditioning.signal === "projection" && {
        self_conditioning: { signal: "projection" },
      }),
    ...((conditioning.class || ("mode" in conditioning && conditioning.mode === "renoised")) && {
      conditioning,
    }),
  } as unknown as SamplerParts;
  return { parts, constants };
}

/**
 * The plan of a model's sampling loop. Throws DlmcError: `schedule/...`, `timesteps/...`, `model/no-sampler` for a part
 * without one.
 */
export function planOfModel(model: Scheduled, steps?: number): Plan {
  const source = samplerParts(model);
  if (source === undefined)
    return fail("model/no-sampler", `the part "${model.description.part}" has no sampler`, {
      file: model.file,
      pointer: "/part",
      help: "generate needs a whole model",
    });
  return ofFile(model.file, () =>
    planOf(source.parts, {
      constants: source.constants,
      ...(steps !== undefined && { numSteps: steps }),
    }),
  );
}

/** What `make` makes; problems of constants that came with the weights say whose description names them. */
export function ofFile<T>(file: string, make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof DlmcError)) throw error;
    throw new DlmcError(
      error.diagnostics.map((diagnostic) => ({ file, ...diagnostic })),
      error.exitCode,
    );
  }
}

/** The plan of a model with a continuous state. Throws what `planOfModel` throws, and `sampler/discrete-plan`. */
export function samplerPlan(model: Scheduled, steps?: number): SamplerPlan {
  return samplerPlanOf(planOfModel(model, steps));
}
