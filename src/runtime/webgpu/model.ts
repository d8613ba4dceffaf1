// load(): a WGSL bundle on a device, ready to generate. What index.js of a bundle offers.

import type { PlanOptions, SamplerParts } from "../../diffusion/plan.js";
import { readPlanTable } from "../../diffusion/plan-table.js";
import type { Plan } from "../../diffusion/plans.js";
import type { Runner } from "../any-runner.js";
import { type ClassInput, withClasses } from "../classes.js";
import type { EncoderInput, encoderRows } from "../encoder.js";
import { graphsOfLength, samplerOf } from "../manifest.js";
import { inside } from "../read-text.js";
import type { Loop, TokenOptions, TokenState } from "../token-state.js";
import { createTokenizer, type Tokenizer } from "../tokenizer.js";
import { checkDevice, requestDevice } from "./device.js";
import type { Gpu, GpuDevice } from "./gpu.js";
import { bindGraph, type LoadedGraph } from "./graph.js";
import { graphCalls, type MakeRunner, runForOthers } from "./graph-calls.js";
import { type LoadProgress, loadPipelines, loadWeights } from "./load-files.js";
import { parseWgslManifest, type WgslManifest } from "./manifest.js";
import { deviceMemory, type Memory } from "./memory.js";
import { readWhole } from "./read-bytes.js";
import { type KernelTime, stepTimes } from "./step-times.js";

/** How to load a bundle. */
export interface WebgpuOptions {
  /** A device of the caller's; one is requested (and destroyed by `destroy`) when left out. */
  readonly device?: GpuDevice;
  /** Where a device is requested: `navigator.gpu` by default, in Node what the package `webgpu` creates. */
  readonly gpu?: Gpu;
  /** Sequence length, for a bundle with several. */
  readonly length?: number;
  /** Kernels that read halves as halves where the device can ("auto", the default), or those of every device ("off"). */
  readonly f16?: "auto" | "off";
  readonly signal?: AbortSignal;
  /** Called after every tensor. */
  readonly progress?: (at: LoadProgress) => void;
}

/** What `generate` takes here: a text with blanks, or tokens; the plan is the bundle's own. */
export interface ModelGenerateOptions extends Omit<TokenOptions, "plan" | "batch" | "encoder"> {
  /** The output of an encoder, for models that attend to one. */
  readonly encoder?: EncoderInput;
  /** The classes of the texts, for models that are told one. */
  readonly classes?: ClassInput;
  /** Text with blanks, for bundles with a vocabulary. */
  readonly prompt?: string;
  readonly seed?: number;
  /** Number of sampling steps; the compiled one by default. */
  readonly steps?: number;
}

/** A loaded model. */
export interface Model {
  readonly manifest: WgslManifest;
  readonly device: GpuDevice;
  readonly runner: Runner;
  /** Undefined when the bundle has no vocabulary. */
  readonly tokenizer: Tokenizer | undefined;
  /** The plan of the compiled number of steps, or of another. Throws `bundle/no-sampler` and what planning throws. */
  plan(steps?: number): Promise<Plan>;
  /** Tokens after every step; the last state is `done`. */
  generate(options?: ModelGenerateOptions): AsyncGenerator<TokenState, void, undefined>;
  /** Times of one step's kernels, longest first; undefined without the feature timestamp-query. */
  times(): Promise<readonly KernelTime[] | undefined>;
  /** Gives all memory on the device back. */
  destroy(): void;
}

/** A sampling loop, the runner that it drives, and who makes a plan that the manifest does not hold. */
export interface WebgpuLoop extends Loop {
  plan(parts: SamplerParts, options: PlanOptions): Plan | Promise<Plan>;
  readonly runner: MakeRunner;
  /** Checks an encoder's output, where models that attend to one are loaded. */
  readonly encoderRows?: typeof encoderRows;
}

/** A bundle's graphs on a device, without the loop around them. */
export interface OpenedGraphs {
  readonly manifest: WgslManifest;
  readonly graphs: ReadonlyMap<string, LoadedGraph>;
  readonly memory: Memory;
}

/** Loads and binds every graph of a bundle; throws what `loadModel` throws. */
export async function openGraphs(location: string, options: WebgpuOptions = {}): Promise<OpenedGraphs> {
  const { signal } = options;
  const file = inside(location, "manifest.json");
  const manifest = parseWgslManifest(await readWhole(file, signal), file);
  const graphs = graphsOfLength(manifest, options.length);
  if (options.device !== undefined) checkDevice(manifest, options.device);
  const device = options.device ?? (await requestDevice(manifest, options.gpu));
  const memory = deviceMemory(device, options.device === undefined);
  const has = (feature: string): boolean =>
    device.features.has(feature) &&
    (feature === "subgroups" ? subgroupsPay(device) : feature !== "shader-f16" || options.f16 !== "off");
  try {
    const [pipelines, weights] = await settled(
      loadPipelines(device, location, manifest, has, signal),
      loadWeights(memory, location, manifest, options.progress, signal),
    );
    const arenas = manifest.arenas.map((bytes) => memory.storage(bytes));
    const bound = new Map(
      [...graphs].map(([name, graph]): readonly [string, LoadedGraph] => [
        name,
        bindGraph(graph, memory, arenas, weights, pipelines),
      ]),
    );
    await memory.allocated();
    // What @filters computes once becomes an input of the graphs that use it.
    runForOthers(bound, "filters", memory);
    return { manifest, graphs: bound, memory };
  } catch (error) {
    memory.destroy();
    throw error;
  }
}

/**
 * Loads the bundle in a directory (a path, or a URL) for a sampling loop.
 * Throws DlmcError: `bundle/unreadable`, `bundle/manifest`, `bundle/corrupt`, `bundle/truncated`, `bundle/length`,
 * `webgpu/missing`, `webgpu/limit`, `webgpu/feature`, `webgpu/kernel`, `webgpu/out-of-memory`, `webgpu/device-lost`; and the signal's reason.
 * Nothing stays on the device when it throws.
 */
export async function loadModel(
  loop: WebgpuLoop,
  location: string,
  options: WebgpuOptions = {},
): Promise<Model> {
  const { manifest, graphs, memory } = await openGraphs(location, options);
  try {
    const runner = loop.runner(graphCalls(graphs, memory, manifest.batch, inside(location, "manifest.json")));
    await memory.allocated();
    return model(loop, manifest, memory, runner, graphs);
  } catch (error) {
    memory.destroy();
    throw error;
  }
}

function model(
  loop: WebgpuLoop,
  manifest: WgslManifest,
  memory: Memory,
  runner: Runner,
  graphs: ReadonlyMap<string, LoadedGraph>,
): Model {
  const { vocabulary } = manifest;
  const tokenizer = vocabulary && createTokenizer(vocabulary.symbols, vocabulary.options ?? {});
  const plan = async (steps?: number): Promise<Plan> => {
    const asked = samplerOf(manifest, steps);
    const table = steps === undefined ? manifest.plan : undefined;
    return table === undefined ? loop.plan(...asked) : readPlanTable(table);
  };
  return {
    manifest,
    device: memory.device,
    runner,
    tokenizer,
    plan,
    async *generate({ prompt, seed, steps, encoder: given, classes, ...rest } = {}) {
      const planned = await plan(steps);
      const encoder = loop.encoderRows?.(given, runner.encoder, manifest.batch);
      const fixed = prompt === undefined ? rest.fixed : tokenizer?.encode(prompt, runner.length);
      yield* loop.generate(withClasses(runner, planned, classes, manifest.batch), {
        ...rest,
        plan: planned,
        batch: manifest.batch,
        noise: rest.noise ?? seed ?? 0,
        ...(fixed && { fixed }),
        ...(encoder && { encoder }),
      });
    },
    times: () => stepTimes(graphs.get("step") ?? graphs.get("denoise"), memory),
    destroy: () => memory.destroy(),
  };
}

/** Subgroups of four take longer over a line than workgroup memory does; docs/decisions has the figures. */
function subgroupsPay({ adapterInfo }: GpuDevice): boolean {
  return (adapterInfo?.subgroupMinSize ?? 8) >= 8;
}

/** Both results, or the first failure once both have come to rest, so that nothing goes on behind a failure. */
async function settled<A, B>(a: Promise<A>, b: Promise<B>): Promise<[A, B]> {
  const [first, second] = await Promise.allSettled([a, b]);
  if (first.status === "rejected") throw first.reason;
  if (second.status === "rejected") throw second.reason;
  return [first.value, second.value];
}
