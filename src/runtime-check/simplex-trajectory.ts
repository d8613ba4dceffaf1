// A whole generation of a model with a simplex state: its loop around the reference's network and the candidate's. What an
// update makes of logits depends on the logits of its own call alone, so a forced state needs no replacing.

import type { SimplexPlan } from "../diffusion/simplex-plan.js";
import type { Graph, Module } from "../ir/graph.js";
import { generateSimplex } from "../runtime/simplex/simplex-loop.js";
import type { SimplexInputs } from "../runtime/simplex/simplex-runner.js";
import { type CallLoop, type CallOptions, checkCalls } from "./call-trajectory.js";
import type { Candidate } from "./candidate.js";
import { classesOf } from "./class-feed.js";
import type { TrajectoryReport } from "./trajectory.js";

export interface SimplexTrajectoryOptions extends CallOptions {
  readonly plan: SimplexPlan;
}

/** Runs the plan. Needs @denoise from a simplex to logits. */
export function checkSimplexTrajectory(
  module: Module,
  candidate: Candidate,
  options: SimplexTrajectoryOptions,
): Promise<TrajectoryReport> {
  return checkCalls(module, candidate, (graph) => generating(graph, options), options);
}

function generating(graph: Graph, { plan, batch = 1, seed = 0 }: SimplexTrajectoryOptions): CallLoop {
  const [length, vocabulary] = graph.outputs[0]!.type.shape.slice(1).map((extent) => extent.value!);
  const told = classesOf(plan, batch);
  return {
    updates: plan.rows.length,
    async *generate(network) {
      const runner = {
        length: length!,
        vocabulary: vocabulary!,
        predict({ simplex, previous, level, fixedMask, fixedTokens, classes = told }: SimplexInputs) {
          return network({
            simplex,
            self_cond: previous,
            level: [level],
            fixed_mask: fixedMask,
            fixed_tokens: fixedTokens,
            class: classes,
          });
        },
        async dispose() {},
      };
      for await (const { done, tokens } of generateSimplex(runner, { plan, batch, noise: seed }))
        if (!done || plan.final === "denoise") yield { tokens };
    },
  };
}
