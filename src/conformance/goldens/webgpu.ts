// The third back end of the golden cases: WGSL kernels on WebGPU. Kernels have fixed sizes, so a batch gets its own.

import { join } from "node:path";
import { compile } from "../../api/compile.js";
import { openGpu } from "../../api/gpu.js";
import type { LoadedModel } from "../../api/load.js";
import { wgslCandidate } from "../../api/wgsl-candidate.js";
import { optimise } from "../../compile.js";
import type { Module } from "../../ir/graph.js";
import type { Tensor } from "../../ir/tensor.js";
import {
  isSimplexRunner,
  isTokenRunner,
  type Runner,
  simplexRunnerOf,
  stepRunnerOf,
  tokenRunnerOf,
} from "../../runtime/any-runner.js";
import { loadWebgpu } from "../../runtime/webgpu/index.js";
import { bug, DlmcError } from "../../support/diagnostic.js";
import { targets } from "../../targets.js";

let found: Promise<string | undefined> | undefined;

/** Why WGSL cannot run in this process; undefined when it can. */
export function missingWebgpu(): Promise<string | undefined> {
  found ??= (async () => {
    try {
      return (await (await openGpu()).requestAdapter()) ? undefined : "no graphics adapter";
    } catch (error) {
      if (error instanceof DlmcError) return error.diagnostics[0]!.message;
      throw error;
    }
  })();
  return found;
}

/** One graph of a module with the probes it was given, planned for each batch it is asked for. */
export async function webgpuGraph(alone: Module, name: string) {
  const opened = new Map<number, Awaited<ReturnType<typeof open>>>();
  const open = async (batch: number) => {
    const candidate = await wgslCandidate(batch);
    return { candidate, planned: optimise(alone, targets.wgsl, { time: "inline", batch }) };
  };
  return {
    async run(inputs: readonly Tensor[]): Promise<readonly Tensor[]> {
      const graph = alone.graphs.find((one) => one.name === name) ?? bug(`no graph @${name}`);
      const at = graph.inputs.findIndex(({ type }) => type.shape[0]?.value === undefined);
      const batch = at < 0 ? 1 : inputs[at]!.shape[0]!;
      const one = opened.get(batch) ?? (await open(batch));
      opened.set(batch, one);
      return one.candidate.run(one.planned, name, inputs);
    },
    async dispose() {
      for (const { candidate } of opened.values()) await candidate.dispose();
    },
  };
}

/** The whole model for the sampling loops, compiled for each batch it is asked for. */
export function webgpuRunner(model: LoadedModel, directory: string, like: Runner): Runner {
  const opened = new Map<number, Promise<Runner>>();
  const of = (batch: number): Promise<Runner> => {
    const known = opened.get(batch);
    if (known !== undefined) return known;
    const outDir = join(directory, `webgpu-${batch}`);
    const runner = openGpu().then(async (gpu) => {
      compile({ model: model.file, target: "wgsl", outDir, batch });
      return (await loadWebgpu(outDir, { gpu })).runner;
    });
    opened.set(batch, runner);
    return runner;
  };
  const dispose = async (): Promise<void> => {
    for (const runner of opened.values()) await (await runner).dispose();
  };
  if (isTokenRunner(like))
    return {
      length: like.length,
      vocabulary: like.vocabulary,
      logits: async (inputs) => tokenRunnerOf(await of(inputs.batch)).logits(inputs),
      dispose,
    };
  if (isSimplexRunner(like))
    return {
      length: like.length,
      vocabulary: like.vocabulary,
      predict: async (inputs) => simplexRunnerOf(await of(inputs.batch)).predict(inputs),
      dispose,
    };
  const step = async (batch: number) => stepRunnerOf(await of(batch));
  return {
    length: like.length,
    dim: like.dim,
    vocabulary: like.vocabulary,
    embed: async (tokens, batch) => (await step(batch)).embed(tokens, batch),
    step: async (inputs) => (await step(inputs.batch)).step(inputs),
    ...(like.denoise && { denoise: async (inputs) => (await step(inputs.batch)).denoise!(inputs) }),
    ...(like.round && { round: async (x, batch) => (await step(batch)).round!(x, batch) }),
    dispose,
  };
}
