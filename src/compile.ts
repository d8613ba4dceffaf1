// The straight line: text -> Description -> Module -> passes -> Module -> artefact. Pure: files are read and
// written by its callers. `targets.ts` says which passes and which emitter a target has.

import { atLength, type Description, readDescription, sequenceLength } from "./description/index.js";
import { settlingOf, windowOf } from "./diffusion/discrete/cached-blocks.js";
import type { Module } from "./ir/graph.js";
import { lower } from "./lower/index.js";
import { cacheBlocks } from "./passes/cache-blocks.js";
import { type RunOptions, runPasses } from "./passes/pass.js";
import { bug, type Diagnostic, DlmcError, Report } from "./support/diagnostic.js";
import { type BuildOptions, type Target, targets } from "./targets.js";
import type { ParameterDeclaration, WeightStore } from "./weights/store.js";

/** A description read, lowered for one length and bound to its weights. */
export interface Lowered {
  readonly description: Description;
  readonly module: Module;
  readonly parameters: readonly ParameterDeclaration[];
  /** Of the weights: what is legal but probably not meant. */
  readonly warnings: readonly Diagnostic[];
}

/** Finds the values of the declared parameters; problems go to the report. */
export type BindWeights = (
  description: Description,
  parameters: readonly ParameterDeclaration[],
  report: Report,
) => WeightStore;

/** A description and the warnings about it. */
export interface Described {
  readonly description: Description;
  readonly warnings: readonly Diagnostic[];
}

/**
 * Text -> validated description, for its own sequence length or another. Throws DlmcError with every problem of
 * the file.
 */
export function describe(text: string, file: string, length?: number): Described {
  const report = new Report(file);
  const read = readDescription(text, file, report);
  const description = read && length !== undefined ? atLength(read, length, report) : read;
  report.throwIfErrors();
  return {
    description: description ?? bug("a description without errors is undefined"),
    warnings: report.diagnostics,
  };
}

/**
 * Description -> module without weights, with the graphs of block decoding where the sampler keeps settled blocks.
 * Throws `cache/no-rule` where the network has none.
 */
export function lowerDescription(description: Description, file: string): ReturnType<typeof lower> {
  const lowered = lower(description);
  const sampler = description.part === "model" ? description.sampler : undefined;
  const blocks = sampler !== undefined && "blocks" in sampler ? sampler.blocks : undefined;
  if (blocks?.cache !== "exact") return lowered;
  try {
    const block = windowOf(blocks, sequenceLength(description) ?? blocks.length);
    const pass = cacheBlocks({ block, settle: settlingOf(blocks) });
    return { ...lowered, module: runPasses(lowered.module, [pass]) };
  } catch (error) {
    if (!(error instanceof DlmcError)) throw error;
    throw new DlmcError(error.diagnostics.map((diagnostic) => ({ file, ...diagnostic })));
  }
}

/** Description -> module with weights, for the description's sequence length. */
export function lowerBound(description: Description, file: string, bind: BindWeights): Lowered {
  const { module, parameters } = lowerDescription(description, file);
  const report = new Report(file);
  const store = bind(description, parameters, report);
  report.throwIfErrors();
  return {
    description,
    parameters,
    warnings: report.diagnostics,
    module: {
      ...module,
      weights: { has: (name) => store.info(name) !== undefined, read: (name) => store.read(name) },
    },
  };
}

/** Module -> module of the target: its passes, each verified. */
export function optimise(
  module: Module,
  target: Target,
  options: BuildOptions,
  run: RunOptions = {},
): Module {
  return runPasses(module, target.pipeline(options), run);
}

/** A target by name. Throws DlmcError `flags/unknown-target`. */
export function targetOf(name: string): Target {
  const target = Object.hasOwn(targets, name) ? targets[name as keyof typeof targets] : undefined;
  if (target !== undefined) return target;
  throw new DlmcError([
    {
      severity: "error",
      code: "flags/unknown-target",
      message: `no target is named ${name}`,
      help: `targets are ${Object.keys(targets).join(", ")}`,
    },
  ]);
}
