// inspect(): the facts of a description: sizes, parameters, graphs, and the noise schedule as a table.

import { describe, lowerDescription } from "../compile.js";
import { type Description, printDescription } from "../description/index.js";
import {
  checkSchedules,
  type GridPoint,
  isTokenPlan,
  joinPoints,
  levelOf,
  type NoiseLevel,
  type Plan,
  type PositionMap,
  positionMap,
  positionsOf,
  resolveGrids,
  resolveSchedule,
  type ScheduleCurve,
  type ShownLevel,
  scheduleCurve,
  schedulePositions,
  shownLevel,
  type TimestepsDescription,
  type TokenPoint,
  type TokenRow,
} from "../diffusion/index.js";
import { findGraph, type Module } from "../ir/graph.js";
import { typeText } from "../ir/type.js";
import { type Diagnostic, DlmcError, fail } from "../support/diagnostic.js";
import type { ParameterDeclaration } from "../weights/store.js";
import { loadSchedule, type ModelOptions, readModelText } from "./load.js";
import { ofFile, planOfModel, samplerParts, scheduleParts } from "./sampler-source.js";

/** What `dlmc inspect --json` prints (schema/inspect.schema.json). */
export interface Inspection {
  readonly name: string;
  readonly part: string;
  readonly length: number;
  readonly parameters: { readonly tensors: number; readonly numbers: number };
  readonly graphs: readonly {
    readonly name: string;
    readonly inputs: readonly string[];
    readonly outputs: readonly string[];
    readonly ops: number;
  }[];
  /** What is kept of settled blocks, where the sampler asks for it. */
  readonly cache?: {
    /** Positions of a block. */
    readonly block: number;
    /** Of one text, in float32. */
    readonly bytes: number;
  };
}

/** A description that no weights are read for. */
type Described = Pick<ModelOptions, "model" | "length" | "warn">;

/** The facts of a description; no weights are read. Throws DlmcError (exit 2) as the description demands. */
export function inspect(options: Described): Inspection {
  const { description, module, parameters } = lowerOnly(options);
  return {
    name: description.name,
    part: description.part,
    length: module.dims.get("L")!.value!,
    parameters: {
      tensors: parameters.length,
      numbers: parameters.reduce((sum, { shape }) => sum + shape.reduce((n, extent) => n * extent, 1), 0),
    },
    graphs: module.graphs.map((graph) => ({
      name: graph.name,
      inputs: graph.inputs.map((value) => `${value.hint}: ${typeText(value.type)}`),
      outputs: graph.outputs.map((value, i) => `${graph.outputNames[i]}: ${typeText(value.type)}`),
      ops: graph.ops.length,
    })),
    ...cacheOf(module),
  };
}

/** The inputs of @block and @prefix that hold rows of settled blocks. */
function cacheOf(module: Module): Pick<Inspection, "cache"> {
  const block = findGraph(module, "block");
  const size = block?.inputs.find(({ hint }) => hint === "tokens")?.type.shape[1]?.value;
  if (block === undefined || size === undefined) return {};
  const rows = [...block.inputs, ...(findGraph(module, "prefix")?.inputs ?? [])].filter(({ hint }) =>
    /^(cache|tail)\./.test(hint ?? ""),
  );
  const numbers = rows.map(({ type }) => type.shape.reduce((n, extent) => n * (extent.value ?? 1), 1));
  return { cache: { block: size, bytes: 4 * numbers.reduce((sum, n) => sum + n, 0) } };
}

/** The parameters a description declares, in order of use: canonical names and shapes. */
export function parameters(options: Described): readonly ParameterDeclaration[] {
  return lowerOnly(options).parameters;
}

function lowerOnly(options: Described): {
  description: Description;
  module: Module;
  parameters: readonly ParameterDeclaration[];
} {
  const description = read(options);
  return { description, ...lowerDescription(description, options.model) };
}

/** The description with every default filled in, as JSON text that reads back to itself. */
export function resolved(options: Omit<Described, "length">): string {
  return printDescription(read(options));
}

function read({ model, length, warn }: Described): Description {
  const { description, warnings } = describe(readModelText(model), model, length);
  if (warnings.length > 0) warn?.(warnings);
  return description;
}

/** A visited level. */
interface VisitedLevel extends ShownLevel {
  readonly t: number;
  readonly index?: number;
  readonly alphaBar: number;
  readonly sigma2: number;
  readonly gamma: number;
  /** Of discrete flow matching: its rates times the length of the step from here. */
  readonly forth?: number;
  readonly back?: number;
}

/** A noise schedule as sampled: one row per visited level, and what a plot shows of it. */
export interface ScheduleInspection {
  readonly plan?: Plan;
  /** Where positions differ, their means and the level of each. */
  readonly levels: readonly (VisitedLevel & { readonly positions?: readonly VisitedLevel[] })[];
  /** Of a schedule that all positions share. */
  readonly curve?: ScheduleCurve;
  /** Of positions at levels of their own. */
  readonly map?: PositionMap;
}

/**
 * The noise schedule of a description. Weights are read only for constants that come with them.
 * Throws `schedule/not-monotone` and its like when the table breaks a rule, `model/no-schedule` without one.
 */
export function inspectSchedule(options: ModelOptions & { readonly steps?: number }): ScheduleInspection {
  const said: Diagnostic[] = [];
  const model = loadSchedule({ ...options, warn: (warnings) => said.push(...warnings) });
  const { description } = model;
  const source = scheduleParts(model);
  if (source === undefined)
    return fail("model/no-schedule", `the part "${description.part}" has no noise schedule`, {
      file: options.model,
      pointer: "/part",
    });
  const { noise_schedule, timesteps, constants } = source;
  const parts = samplerParts(model)?.parts;
  // A schedule alone has as many positions as its own lists.
  const positions = parts
    ? positionsOf(parts)
    : (schedulePositions(noise_schedule) ?? listedPositions(timesteps));
  const chosen = { ...(options.steps !== undefined && { numSteps: options.steps }), constants };
  const grids = ofFile(options.model, () => resolveGrids(noise_schedule, timesteps, positions, chosen));
  const sampler = parts?.sampler;
  // Of the grid as described the reader has spoken, but for constants that are in the weights and other step counts.
  const found = checkSchedules(grids, sampler).map((diagnostic) => ({ file: options.model, ...diagnostic }));
  const errors = found.filter(({ severity }) => severity === "error");
  if (errors.length > 0) throw new DlmcError(errors);
  const known = new Set(said.map(({ message }) => message));
  const warnings = [...said, ...found.filter(({ message }) => !known.has(message))];
  if (warnings.length > 0) options.warn?.(warnings);
  const plan = sampler && planOfModel(model, options.steps);
  const grid = grids[0]!;
  if (positions !== undefined) {
    const levels = grid.map((_, k) => joinPoints(grids.map((own) => levelRow(own[k]!))));
    return { ...(plan && { plan }), levels, map: positionMap(grids) };
  }
  const schedule = resolveSchedule(noise_schedule, constants);
  if (plan === undefined || !isTokenPlan(plan))
    return { ...(plan && { plan }), levels: grid.map(levelRow), curve: scheduleCurve(schedule, grid) };
  const visited: readonly (TokenPoint & Pick<TokenRow, "flow">)[] = [...plan.rows, plan.finalRow];
  const of = (level: NoiseLevel): NoiseLevel => levelOf(plan.process, level);
  const points = grid.map(({ level, ...point }) => ({ ...point, level: of(level) }));
  return {
    plan,
    levels: visited.map((point) => ({
      ...levelRow({ ...point, level: point }),
      ...shownLevel(plan.process, point),
      ...point.flow,
    })),
    curve: scheduleCurve(schedule, points, of),
  };
}

/** Columns of listed times. */
function listedPositions(timesteps: TimestepsDescription): number | undefined {
  const first = timesteps.kind === "table" ? timesteps.values[0] : undefined;
  return typeof first === "object" ? first.length : undefined;
}

function levelRow({ t, index, level }: GridPoint): VisitedLevel {
  return {
    t,
    ...(index !== undefined && { index }),
    alphaBar: level.alphaBar,
    sigma2: level.sigma2,
    gamma: level.gamma,
  };
}
