// ONNX Runtime as a candidate: a module is emitted to a temporary directory, loaded from there and run. Emitter
// and ONNX Runtime come from outside, so that a check depends on neither.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findGraph, type Module, type Value } from "../ir/graph.js";
import { type Element, type Tensor, tensor } from "../ir/tensor.js";
import { bug, DlmcError, exitCodes } from "../support/diagnostic.js";
import { decodeHalf, encodeHalf } from "../support/half.js";
import type { ByteSink } from "../weights/writer.js";
import { type Accuracy, onnxRuntimeCpu } from "./accuracy.js";
import type { Candidate } from "./candidate.js";

/** A graph's file as the emitter wrote it; ports are in the order of the graph's inputs and outputs. */
export interface EmittedGraph {
  readonly name: string;
  readonly file: string;
  readonly inputs: readonly { readonly name: string; readonly element: string }[];
  readonly outputs: readonly { readonly name: string }[];
}

/** What is used of `onnxruntime-node`. */
export interface OnnxRuntime {
  readonly InferenceSession: {
    create(path: string, options: Readonly<Record<string, unknown>>): Promise<OnnxSession>;
  };
  readonly Tensor: new (type: string, data: never, dims: readonly number[]) => OnnxTensor;
}
interface OnnxTensor {
  readonly data: unknown;
  readonly dims: readonly number[];
}
interface OnnxSession {
  run(feeds: Readonly<Record<string, OnnxTensor>>): Promise<Readonly<Record<string, OnnxTensor>>>;
  release(): Promise<void>;
}

export interface OnnxCandidateOptions {
  /** Emits every graph of a module into files, and says what they are. */
  readonly emit: (
    module: Module,
    open: (file: string) => ByteSink & { close(): void },
  ) => readonly EmittedGraph[];
  readonly ort: OnnxRuntime;
  /** Execution providers, best first; the CPU by default. */
  readonly executionProviders?: readonly string[];
  readonly accuracy?: Accuracy;
  /** Off, to see whether a fusion is at fault. */
  readonly optimise?: boolean;
}

/** The candidate, and the release of what it holds. */
export function onnxCandidate(options: OnnxCandidateOptions): Candidate & { dispose(): Promise<void> } {
  const providers = options.executionProviders ?? ["cpu"];
  // One module at a time: a check runs each of its modules once, a trajectory runs one many times.
  let loaded: Loaded | undefined;
  const load = async (module: Module): Promise<Loaded> => {
    if (loaded?.module === module) return loaded;
    await release(loaded);
    const directory = mkdtempSync(join(tmpdir(), "dlmc-check-"));
    loaded = { module, directory, graphs: emitInto(options, module, directory), sessions: new Map() };
    return loaded;
  };
  return {
    name: `ONNX Runtime (${providers.join(", ")})`,
    accuracy: options.accuracy ?? onnxRuntimeCpu,
    async run(module, name, inputs) {
      const graph = findGraph(module, name) ?? bug(`no graph @${name}`);
      const { directory, graphs, sessions } = await load(module);
      const emitted = graphs.find((g) => g.name === name) ?? bug(`the emitter left out @${name}`);
      const session = sessions.get(name) ?? (await open(options, join(directory, emitted.file), providers));
      sessions.set(name, session);
      const feeds = Object.fromEntries(
        emitted.inputs.map((port, i) => [port.name, toOnnx(options.ort, port.element, inputs[i]!)]),
      );
      const results = await session.run(feeds);
      return graph.outputs.map((value, i) => fromOnnx(results[emitted.outputs[i]!.name]!, value));
    },
    async dispose() {
      await release(loaded);
      loaded = undefined;
    },
  };
}

interface Loaded {
  readonly module: Module;
  readonly directory: string;
  readonly graphs: readonly EmittedGraph[];
  readonly sessions: Map<string, OnnxSession>;
}

async function release(loaded: Loaded | undefined): Promise<void> {
  if (loaded === undefined) return;
  for (const session of loaded.sessions.values()) await session.release();
  rmSync(loaded.directory, { recursive: true, force: true });
}

function emitInto(
  { emit }: OnnxCandidateOptions,
  module: Module,
  directory: string,
): readonly EmittedGraph[] {
  return emit(module, (file) => {
    const parts: Uint8Array[] = [];
    return {
      write: (bytes) => {
        parts.push(bytes.slice());
      },
      close: () => writeFileSync(join(directory, file), Buffer.concat(parts)),
    };
  });
}

async function open(
  { ort, optimise = true }: OnnxCandidateOptions,
  path: string,
  providers: readonly string[],
): Promise<OnnxSession> {
  try {
    return await ort.InferenceSession.create(path, {
      executionProviders: providers,
      graphOptimizationLevel: optimise ? "all" : "disabled",
      // One thread: sums then have one order on every machine.
      intraOpNumThreads: 1,
      interOpNumThreads: 1,
      logSeverityLevel: 3,
    });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new DlmcError(
      [
        {
          severity: "error",
          code: "onnx/session",
          message: `ONNX Runtime does not load the graph: ${reason}`,
          help: `the execution providers were ${providers.join(", ")}; try "cpu", or a newer ONNX Runtime`,
        },
      ],
      exitCodes.unsupported,
    );
  }
}

function toOnnx(ort: OnnxRuntime, element: string, { data, shape, element: own }: Tensor): OnnxTensor {
  const make = (type: string, numbers: unknown): OnnxTensor =>
    new ort.Tensor(type, numbers as never, own === "c64" ? [...shape, 2] : shape);
  switch (element) {
    case "float":
      return make("float32", Float32Array.from(data));
    case "float16":
      return make("float16", Uint16Array.from(data, encodeHalf));
    case "int64":
      return make("int64", BigInt64Array.from(Array.from(data, BigInt)));
    case "int32":
      return make("int32", Int32Array.from(data));
    case "bool":
      return make("bool", Uint8Array.from(data));
    default:
      return bug(`inputs of element ${element} are not emitted`);
  }
}

/** The numbers of an output under the type that the module gives it. */
function fromOnnx({ data, dims }: OnnxTensor, value: Value): Tensor {
  const { element } = value.type;
  const shape = element === "c64" ? dims.slice(0, -1) : [...dims];
  return tensor(element, shape, numbers(data, element));
}

function numbers(data: unknown, element: Element): Float64Array {
  if (data instanceof BigInt64Array) return Float64Array.from(data, Number);
  if (element === "f16" && data instanceof Uint16Array) return Float64Array.from(data, decodeHalf);
  return Float64Array.from(data as ArrayLike<number>);
}
