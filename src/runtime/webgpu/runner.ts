// The runner on WebGPU for any state.

import type { Runner } from "../any-runner.js";
import { takesTokens } from "../manifest.js";
import { webgpuBlockRunner } from "./block-session.js";
import type { GraphCalls } from "./graph-calls.js";
import { webgpuStepRunner } from "./step-runner.js";
import { webgpuTokenRunner } from "./token-runner.js";

/** The runner that the bundle's graphs ask for. */
export function webgpuRunner(calls: GraphCalls): Runner {
  const ports = new Map([...calls.execution.graphs].map(([name, { graph }]) => [name, graph]));
  if (!takesTokens(ports)) return webgpuStepRunner(calls);
  return ports.has("block") ? webgpuBlockRunner(calls) : webgpuTokenRunner(calls);
}
