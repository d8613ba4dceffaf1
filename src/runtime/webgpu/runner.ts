// The runner on WebGPU for any state.

import type { Runner } from "../any-runner.js";
import { stateOfGraphs } from "../manifest.js";
import { webgpuBlockRunner } from "./block-session.js";
import type { GraphCalls } from "./graph-calls.js";
import { webgpuSimplexRunner } from "./simplex-runner.js";
import { webgpuStepRunner } from "./step-runner.js";
import { webgpuTokenRunner } from "./token-runner.js";

const runners = { tokens: webgpuTokenRunner, simplex: webgpuSimplexRunner, embeddings: webgpuStepRunner };

/** The runner that the bundle's graphs ask for. */
export function webgpuRunner(calls: GraphCalls): Runner {
  const ports = new Map([...calls.execution.graphs].map(([name, { graph }]) => [name, graph]));
  const state = stateOfGraphs(ports);
  return state === "tokens" && ports.has("block") ? webgpuBlockRunner(calls) : runners[state](calls);
}
