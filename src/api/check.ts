// check(): does the artefact of a target compute what the description says? Three questions, in order:
//   1. did the passes keep the values (float64 against float64)?
//   2. does the target agree: every op alone, every value along the graph, the graph as it ships?
//   3. does a whole generation agree, with the same noise, step by step?

import { optimise, targetOf } from "../compile.js";
import type { SamplerPlan } from "../diffusion/index.js";
import { emitOnnx, writeOnnxBundle } from "../emit-onnx/emit.js";
import type { Module } from "../ir/graph.js";
import { importOrt } from "../runtime/ort.js";
import { checkModule } from "../runtime-check/check.js";
import { type OnnxCandidateOptions, onnxCandidate } from "../runtime-check/onnx-candidate.js";
import type { CheckReport } from "../runtime-check/report-types.js";
import { checkTrajectory } from "../runtime-check/trajectory.js";
import type { BuildOptions } from "../targets.js";
import { version } from "../version.js";
import { checkPasses, type PassesCheck } from "./check-passes.js";
import { type LoadedModel, loadModel, type ModelOptions, samplerPlan } from "./load.js";

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
 * Checks a description on a target. Resolves whatever the outcome: `agrees` says it.
 * Throws DlmcError: exit 2 for bad input, 3 when the target cannot take the model, 5 when its runtime is missing.
 */
export async function check(options: CheckOptions): Promise<ModelCheck> {
  const { seed = 0, progress } = options;
  const target = targetOf(options.target);
  const model = loadModel(options);
  const planned = optimise(model.module, target, options);
  const plan = planOf(model, options.steps);
  const row = plan?.rows[Math.floor(plan.rows.length / 2)];
  const inputs = { seed, ...(row && { row }) };

  progress?.("passes");
  const passes = checkPasses(model.module, planned, inputs);
  const candidate = onnxCandidate({
    emit: emitter(options),
    ort: (await importOrt()) as unknown as OnnxCandidateOptions["ort"],
  });
  try {
    const report = await checkModule(planned, candidate, {
      inputs,
      progress: (graph) => progress?.(`@${graph}`),
    });
    const withSteps = plan !== undefined && options.noTrajectory !== true;
    if (withSteps) progress?.("trajectory");
    const trajectory = withSteps
      ? await checkTrajectory(planned, candidate, { plan, seed, batch: options.batch ?? 1 })
      : undefined;
    const agrees = report.agrees && passes.every((check) => check.agrees) && trajectory?.agrees !== false;
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

function planOf(model: LoadedModel, steps: number | undefined): SamplerPlan | undefined {
  return model.description.part === "model" ? samplerPlan(model, steps) : undefined;
}

/** How the candidate gets its files: emitted as `compile` would, without the whole-loop graph. */
function emitter({ profile, minOrt }: CheckOptions): OnnxCandidateOptions["emit"] {
  return (module: Module, open) => {
    const bundle = emitOnnx([{ module }], {
      version,
      profile: profile ?? "standard",
      ...(minOrt !== undefined && { minOrt }),
    });
    return writeOnnxBundle(bundle, open).graphs;
  };
}
