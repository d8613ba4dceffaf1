// A description on every back end: the float64 reference and an ONNX bundle on ONNX Runtime. The description
// goes through its text and the weights through their map, as a user's would; intermediate values are graph outputs.

import { closeSync, mkdirSync, openSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { compile } from "../../api/compile.js";
import { type LoadedModel, loadModel, type ModelOptions } from "../../api/load.js";
import { optimise } from "../../compile.js";
import { emitOnnx, writeOnnxBundle } from "../../emit-onnx/emit.js";
import { evaluate } from "../../ir/evaluate.js";
import { findGraph, type Graph, type Module, type Value } from "../../ir/graph.js";
import { type Tensor, tensor } from "../../ir/tensor.js";
import { referenceRunner } from "../../reference/runner.js";
import { type Runner, stepRunnerOf, tokenRunnerOf } from "../../runtime/any-runner.js";
import { loadOnnx } from "../../runtime/onnx.js";
import { importOrt, type OrtTensor } from "../../runtime/ort.js";
import { toTensor } from "../../runtime/ort-tensor.js";
import type { StepRunner } from "../../runtime/step-runner.js";
import type { TokenRunner } from "../../runtime/token-runner.js";
import { bug } from "../../support/diagnostic.js";
import { targets } from "../../targets.js";
import { version } from "../../version.js";
import { type Each, entriesOf, mapEach, mapEachInTurn } from "./each.js";
import { missingWebgpu, webgpuGraph, webgpuRunner } from "./webgpu.js";

/** The JSON of a description before it is written. */
type DescriptionObject = Readonly<Record<string, unknown>>;

/** Writes the description into `directory` and reads it back with its weights, or with synthetic ones. */
export function load(
  description: DescriptionObject,
  directory: string,
  options: Pick<ModelOptions, "synthetic"> = {},
): LoadedModel {
  mkdirSync(directory, { recursive: true });
  const model = join(directory, "model.json");
  writeFileSync(model, `${JSON.stringify({ version: 1, ...description }, undefined, 2)}\n`);
  return loadModel({ model, ...options });
}

/** The whole model on every back end, for the sampler driver of continuous states. */
export async function runners(model: LoadedModel, directory: string): Promise<Each<StepRunner>> {
  return mapEach(await openRunners(model, directory), stepRunnerOf);
}

/** The whole model on every back end, for the decoders of discrete states. */
export async function tokenRunners(model: LoadedModel, directory: string): Promise<Each<TokenRunner>> {
  return mapEach(await openRunners(model, directory), tokenRunnerOf);
}

async function openRunners(model: LoadedModel, directory: string): Promise<Each<Runner>> {
  const outDir = join(directory, "bundle");
  compile({ model: model.file, target: "onnx", outDir });
  const reference = referenceRunner(model.module);
  return {
    reference,
    onnx: (await loadOnnx(outDir)).runner,
    ...((await missingWebgpu()) === undefined && { wgsl: webgpuRunner(model, directory, reference) }),
  };
}

/** Gives back what the runners hold. */
export async function disposeRunners(each: Each<Runner>): Promise<void> {
  for (const [, runner] of entriesOf(each)) await runner.dispose();
}

/** Named tensors in, named numbers out. */
export type RunGraph = (
  inputs: Readonly<Record<string, Tensor>>,
) => Promise<Readonly<Record<string, Float64Array>>>;

/** One graph on every back end; outputs and probes by name. */
export interface OpenedGraph {
  readonly each: Each<RunGraph>;
  run(inputs: Readonly<Record<string, Tensor>>): Promise<Each<Readonly<Record<string, Float64Array>>>>;
  dispose(): Promise<void>;
}

/**
 * Compiles one graph with more outputs: `probes` names values inside it. Passes see them as results, so what
 * surrounds a probe is compiled as it would be without.
 */
export async function openGraph(
  { module }: Pick<LoadedModel, "module">,
  name: string,
  probes: Readonly<Record<string, Value | undefined>>,
  directory: string,
): Promise<OpenedGraph> {
  const graph = findGraph(module, name) ?? bug(`the module has no graph @${name}`);
  const probed = probe(graph, probes);
  const alone: Module = { ...module, graphs: [probed.graph] };
  const file = writeBundle(optimise(alone, targets.onnx, { time: "inline" }), directory, name);
  const ort = await importOrt();
  const session = await ort.InferenceSession.create(join(directory, file.file), {
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
  });
  const named = <T>(value: (stored: string) => T): Readonly<Record<string, T>> =>
    Object.fromEntries(probed.names.map(([stored, wanted]) => [wanted, value(stored)]));
  const input = (inputs: Readonly<Record<string, Tensor>>, wanted = ""): Tensor =>
    inputs[wanted] ?? bug(`@${name} lacks its input ${wanted}`);
  const reference: RunGraph = async (inputs) => {
    const given = graph.inputs.map((value) => input(inputs, value.hint));
    const outputs = evaluate(alone, name, given);
    return named((stored) => outputs[probed.graph.outputNames.indexOf(stored)]!.data);
  };
  const onnx: RunGraph = async (inputs) => {
    const feeds: Record<string, OrtTensor> = {};
    for (const port of file.inputs) {
      const { data, shape } = input(inputs, port.name);
      feeds[port.name] = toTensor(ort, port, data, shape);
    }
    const outputs = await session.run(feeds);
    return named((stored) => numbersOf(outputs[stored]!));
  };
  const gpu = (await missingWebgpu()) === undefined ? await webgpuGraph(alone, name) : undefined;
  const each: Each<RunGraph> = {
    reference,
    onnx,
    ...(gpu && {
      wgsl: async (inputs) => {
        const outputs = await gpu.run(graph.inputs.map((value) => input(inputs, value.hint)));
        return named((stored) => outputs[probed.graph.outputNames.indexOf(stored)]!.data);
      },
    }),
  };
  return {
    each,
    run: (inputs) => mapEachInTurn(each, (run) => run(inputs)),
    async dispose() {
      await session.release();
      await gpu?.dispose();
    },
  };
}

function probe(graph: Graph, probes: Readonly<Record<string, Value | undefined>>) {
  const wanted = Object.entries(probes).filter((entry): entry is [string, Value] => entry[1] !== undefined);
  // A value that is an output already keeps its one name.
  const fresh = wanted.filter(([, value]) => !graph.outputs.includes(value));
  const added = [...new Set(fresh.map(([, value]) => value))];
  const stored = (value: Value): string => {
    const at = graph.outputs.indexOf(value);
    return at >= 0 ? graph.outputNames[at]! : `probe_${added.indexOf(value)}`;
  };
  return {
    graph: {
      ...graph,
      outputs: [...graph.outputs, ...added],
      outputNames: [...graph.outputNames, ...added.map(stored)],
    },
    names: [
      ...graph.outputNames.map((name): [string, string] => [name, name]),
      ...wanted.map(([name, value]): [string, string] => [stored(value), name]),
    ],
  };
}

function writeBundle(module: Module, directory: string, name: string) {
  const length = module.dims.get("L")?.value;
  const bundle = emitOnnx([{ module, ...(length !== undefined && { length }) }], { version });
  mkdirSync(directory, { recursive: true });
  const manifest = writeOnnxBundle(bundle, (file) => {
    const handle = openSync(join(directory, file), "w");
    return { write: (bytes) => void writeSync(handle, bytes), close: () => closeSync(handle) };
  });
  return manifest.graphs.find((graph) => graph.name === name) ?? bug(`the bundle has no graph ${name}`);
}

function numbersOf({ data }: OrtTensor): Float64Array {
  return Float64Array.from(data as ArrayLike<number | bigint>, Number);
}

/** A float tensor for a graph's input. */
export function floats(shape: readonly number[], data: ArrayLike<number>): Tensor {
  return tensor("f32", shape, Float64Array.from(data));
}
