// check(): does the artefact of a target compute what the description says? Three questions, in order:
//   1. did the passes keep the values (float64 against float64)?
//   2. does the target agree: every op alone, every value along the graph, the graph as it ships?
//   3. does a whole generation agree, with the same noise, step by step?

import { statSync } from "node:fs";
import { optimise, targetOf } from "../compile.js";
import { isSimplexPlan, isTokenPlan, type Plan } from "../diffusion/index.js";
import { findGraph, type Module } from "../ir/graph.js";
import { checkBlockTrajectory } from "../runtime-check/block-trajectory.js";
import type { Candidate } from "../runtime-check/candidate.js";
import { checkModule } from "../runtime-check/check.js";
import { heldWeights } from "../runtime-check/held-weights.js";
import type { InputOptions } from "../runtime-check/inputs.js";
import type { CheckReport } from "../runtime-check/report-types.js";
import { makeRepro } from "../runtime-check/repro.js";
import { readRepro, writeRepro } from "../runtime-check/repro-files.js";
import { checkSimplexTrajectory } from "../runtime-check/simplex-trajectory.js";
import { checkTokenTrajectory } from "../runtime-check/token-trajectory.js";
import { checkTrajectory, type TrajectoryReport } from "../runtime-check/trajectory.js";
import type { BuildOptions } from "../targets.js";
import { openCandidate } from "./candidates.js";
import { checkPasses, type PassesCheck } from "./check-passes.js";
import { loadModel, type ModelOptions } from "./load.js";
import { planOfModel } from "./sampler-source.js";

export interface CheckOptions extends ModelOptions, BuildOptions {
  readonly target: string;
  /** Oldest ONNX Runtime the graphs are for. */
  readonly minOrt?: string;
  /** Seed of the inputs and of the trajectory's noise. */
  readonly seed?: number;
  /** Sampling steps of the trajectory; the description's own by default. */
  readonly steps?: number;
  /** Texts at once in the trajectory. */
  readonly batch?: number;
  /** Leave the trajectory out. */
  readonly noTrajectory?: boolean;
  /** Where to write a minimal repro of the first divergence, a directory that does not exist yet. */
  readonly repro?: string;
  /** Called before each part of the check. */
  readonly progress?: (part: string) => void;
}

/** The report of the target, and of the passes before it. */
export interface ModelCheck extends CheckReport {
  readonly model: string;
  readonly target: string;
  readonly passes: readonly PassesCheck[];
}

/**
 * Checks a description on a target, or a repro that an earlier check wrote. Resolves whatever the outcome: `agrees`
 * says it. Throws DlmcError: exit 2 for bad input, 3 when the target cannot take the model, 5 when its runtime is
 * missing.
 */
export async function check(options: CheckOptions): Promise<ModelCheck> {
  if (isDirectory(options.model)) return checkRepro(options);
  const { seed = 0, progress } = options;
  const target = targetOf(options.target);
  const model = loadModel(options);
  const module = heldWeights(model.module);
  const planned = heldWeights(optimise(module, target, options));
  const plan = model.description.part === "model" ? planOfModel(model, options.steps) : undefined;
  const middle = plan?.rows[Math.floor(plan.rows.length / 2)];
  // A model of tokens is told the level alone.
  const row = middle && { a: 0, b: 1, c: 0, s: 0, priorScale: 1, ...middle };
  // Kernels of fixed sizes take the batch they were built for.
  const sizes = options.target === "wgsl" ? { sizes: { B: options.batch ?? 1, T: 1 } } : {};
  const inputs = { seed, ...sizes, ...(row && { row }) };

  progress?.("passes");
  const passes = checkPasses(module, planned, inputs);
  const candidate = await openCandidate(options.target, options);
  try {
    const report = await checkModule(planned, candidate, {
      inputs,
      graphs: ownGraphs(planned),
      progress: (graph) => progress?.(`@${graph}`),
    });
    const withSteps = plan !== undefined && options.noTrajectory !== true;
    if (withSteps) progress?.("trajectory");
    const trajectory = withSteps
      ? await trajectoryOf(planned, candidate, plan, { seed, batch: options.batch ?? 1 })
      : undefined;
    const agrees = report.agrees && passes.every((each) => each.agrees) && trajectory?.agrees !== false;
    if (options.repro !== undefined) await saveRepro(planned, report, candidate, inputs, options.repro);
    return {
      ...report,
      agrees,
      model: model.file,
      target: options.target,
      passes,
      ...(trajectory && { trajectory }),
    };
  } finally {
    await candidate.dispose();
  }
}

function trajectoryOf(
  module: Module,
  candidate: Candidate,
  plan: Plan,
  options: { readonly seed: number; readonly batch: number },
): Promise<TrajectoryReport> {
  if (isTokenPlan(plan)) {
    const kept = plan.sampler.blocks?.cache === "exact" && findGraph(module, "block") !== undefined;
    const trajectory = kept ? checkBlockTrajectory : checkTokenTrajectory;
    return trajectory(module, candidate, { plan, ...options });
  }
  if (isSimplexPlan(plan)) return checkSimplexTrajectory(module, candidate, { plan, ...options });
  return checkTrajectory(module, candidate, { plan, ...options });
}

/** Graphs that no other one calls: fused groups are checked inside the graphs they belong to. */
function ownGraphs(module: Module): string[] {
  const called = new Set(
    module.graphs.flatMap(({ ops }) =>
      ops.flatMap((op) => (op.name === "call" ? [op.attributes.graph] : [])),
    ),
  );
  return module.graphs.map(({ name }) => name).filter((name) => !called.has(name));
}

/** Checks the one op of a repro directory; there are no passes between it and the target. */
async function checkRepro(options: CheckOptions): Promise<ModelCheck> {
  const { module, inputs } = readRepro(options.model);
  const candidate = await openCandidate(options.target, options);
  try {
    const report = await checkModule(module, candidate, { inputs });
    return { ...report, model: options.model, target: options.target, passes: [] };
  } finally {
    await candidate.dispose();
  }
}

/** Writes the first divergence as a directory that another person can check, if there is one. */
async function saveRepro(
  planned: Module,
  report: CheckReport,
  candidate: Candidate,
  inputs: InputOptions,
  directory: string,
): Promise<void> {
  const graph = report.graphs.find(({ firstDivergence }) => firstDivergence !== undefined);
  if (graph?.firstDivergence === undefined) return;
  writeRepro(await makeRepro(planned, graph.name, graph.firstDivergence, candidate, inputs), directory);
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
