// A whole generation of a model with a discrete state: its decoder around the reference's network and the candidate's.

import type { TokenPlan } from "../diffusion/discrete/token-plan.js";
import type { Graph, Module } from "../ir/graph.js";
import { previousPort, previousRows } from "../runtime/self-conditioning.js";
import type { TokenInputs } from "../runtime/token-runner.js";
import { type CallLoop, type CallOptions, checkCalls } from "./call-trajectory.js";
import type { Candidate } from "./candidate.js";
import { classesOf } from "./class-feed.js";
import { forcedTokens } from "./forced-tokens.js";
import type { TrajectoryReport } from "./trajectory.js";

export interface TokenTrajectoryOptions extends CallOptions {
  readonly plan: TokenPlan;
}

/** Runs the plan. Needs @denoise from tokens to logits. */
export function checkTokenTrajectory(
  module: Module,
  candidate: Candidate,
  options: TokenTrajectoryOptions,
): Promise<TrajectoryReport> {
  return checkCalls(module, candidate, (graph) => decoding(graph, options), options);
}

function decoding(graph: Graph, { plan, batch = 1, seed = 0 }: TokenTrajectoryOptions): CallLoop {
  const length = graph.outputs[0]!.type.shape[1]!.value!;
  const { vocabulary } = plan.process;
  const told = classesOf(plan, batch);
  return {
    updates: plan.rows.length,
    async *generate(network, expected) {
      const runner = {
        length,
        vocabulary,
        selfConditioned: graph.inputs.some(({ hint }) => hint === previousPort),
        logits: ({ tokens, level, previous, classes = told }: TokenInputs) =>
          network({
            tokens,
            level,
            [previousPort]: previous?.logits ?? [0],
            class: classes,
            ...previousRows(previous, batch),
          }),
        async dispose() {},
      };
      for await (const tokens of forcedTokens(runner, { plan, batch, noise: seed }, expected))
        yield { tokens };
    },
  };
}
