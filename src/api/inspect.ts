// inspect(): the facts of a description: sizes, parameters, graphs, and the noise schedule as a table.

import { describe, lowerDescription } from "../compile.js";
import { type Description, printDescription } from "../description/index.js";
import {
  checkSchedule,
  type Plan,
  resolveGrid,
  resolveSchedule,
  type ScheduleCurve,
  scheduleCurve,
  type TimestepsDescription,
} from "../diffusion/index.js";
import { findGraph, type Module } from "../ir/graph.js";
import { typeText } from "../ir/type.js";
import { DlmcError, fail } from "../support/diagnostic.js";
import type { ParameterDeclaration } from "../weights/store.js";
import { loadSchedule, type ModelOptions, readModelText } from "./load.js";
import { planOfModel, samplerParts } from "./sampler-source.js";

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

/** The facts of a description; no weights are read. Throws DlmcError (exit 2) as the description demands. */
export function inspect(options: Pick<ModelOptions, "model" | "length">): Inspection {
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
export function parameters(options: Pick<ModelOptions, "model" | "length">): readonly ParameterDeclaration[] {
  return lowerOnly(options).parameters;
}

function lowerOnly({ model, length }: Pick<ModelOptions, "model" | "length">): {
  description: Description;
  module: Module;
  parameters: readonly ParameterDeclaration[];
} {
  const { description } = describe(readModelText(model), model, length);
  return { description, ...lowerDescription(description, model) };
}

/** The description with every default filled in, as JSON text that reads back to itself. */
export function resolved(model: string): string {
  return printDescription(describe(readModelText(model), model).description);
}

/** A noise schedule as sampled: one row per visited level, and the curve for a plot. */
export interface ScheduleInspection {
  readonly plan?: Plan;
  readonly levels: readonly {
    readonly t: number;
    readonly index?: number;
    readonly alphaBar: number;
    readonly sigma2: number;
    readonly gamma: number;
  }[];
  readonly curve: ScheduleCurve;
}

/**
 * The noise schedule of a description. Weights are read only for constants that come with them.
 * Throws `schedule/not-monotone` and its like when the table breaks a rule, `model/no-schedule` without one.
 */
export function inspectSchedule(options: ModelOptions & { readonly steps?: number }): ScheduleInspection {
  const { description: described } = describe(readModelText(options.model), options.model);
  if (!("noise_schedule" in described))
    fail("model/no-schedule", `the part "${described.part}" has no noise schedule`, {
      file: options.model,
      pointer: "/part",
    });
  if (described.part === "noise_schedule") {
    const schedule = resolveSchedule(described.noise_schedule as Parameters<typeof resolveSchedule>[0]);
    const timesteps = (described.timesteps ?? { kind: "all" }) as TimestepsDescription;
    const grid = resolveGrid(timesteps, schedule, options.steps);
    refuseErrors(checkSchedule(grid), options.model);
    return { levels: grid.map(levelRow), curve: scheduleCurve(schedule, grid) };
  }
  const model = loadSchedule(options);
  const source = samplerParts(model)!;
  const schedule = resolveSchedule(source.parts.noise_schedule, source.constants);
  const grid = resolveGrid(source.parts.timesteps, schedule, options.steps);
  refuseErrors(checkSchedule(grid, source.parts.sampler), options.model);
  return {
    plan: planOfModel(model, options.steps),
    levels: grid.map(levelRow),
    curve: scheduleCurve(schedule, grid),
  };
}

type Point = ReturnType<typeof resolveGrid>[number];

function levelRow({ t, index, level }: Point): ScheduleInspection["levels"][number] {
  return {
    t,
    ...(index !== undefined && { index }),
    alphaBar: level.alphaBar,
    sigma2: level.sigma2,
    gamma: level.gamma,
  };
}

function refuseErrors(found: ReturnType<typeof checkSchedule>, file: string): void {
  const errors = found.filter((diagnostic) => diagnostic.severity === "error");
  if (errors.length > 0) throw new DlmcError(errors.map((diagnostic) => ({ file, ...diagnostic })));
}
