// A StepRunner on ONNX Runtime: loads the bundle that `dlmc compile` wrote and feeds its graphs.

import { levelInputs } from "../diffusion/plan.js";
import { DlmcError, exitCodes, fail } from "../support/diagnostic.js";
import type { Runner } from "./any-runner.js";
import { encoderValues, noEncoder } from "./encoder.js";
import {
  encoderPort,
  graphsOfLength,
  type ManifestGraph,
  type ManifestPort,
  parseManifest,
  type RuntimeManifest,
  stateOfGraphs,
} from "./manifest.js";
import { argmaxRows } from "./margins.js";
import type { OpenGraphs, Session, Values } from "./onnx-graphs.js";
import { onnxSimplexRunner } from "./onnx-simplex.js";
import { importOrt, type OrtModule, type OrtTensor } from "./ort.js";
import { floatsOf, type HostArray, tokensOf, toTensor } from "./ort-tensor.js";
import { inside, isUrl, readText } from "./read-text.js";
import type { StepRunner } from "./step-runner.js";
import type { TokenRunner } from "./token-runner.js";

/** How to load a bundle. */
export interface OnnxOptions {
  /** onnxruntime-web in a browser; onnxruntime-node is imported when this is left out. */
  readonly ort?: OrtModule;
  /** Sequence length, for a bundle with several. */
  readonly length?: number;
  /** ONNX Runtime's execution providers, in order of preference; `["cpu"]` by default. */
  readonly executionProviders?: readonly string[];
  /** CPU threads. 1 by default: the order of sums then does not depend on the machine. */
  readonly threads?: number;
}

/** A loaded bundle. */
export interface OnnxBundle {
  readonly manifest: RuntimeManifest;
  readonly runner: Runner;
}

/**
 * Load the bundle in a directory (a path, or a URL).
 * Throws `bundle/unreadable`, `bundle/manifest`, `bundle/length`, `bundle/missing-graph`,
 * `environment/onnxruntime` (exit code 5) and `onnx/session` (exit code 3: ONNX Runtime refuses the graph).
 */
export async function loadOnnx(location: string, options: OnnxOptions = {}): Promise<OnnxBundle> {
  const file = inside(location, "manifest.json");
  const manifest = parseManifest(await readText(file), file);
  const graphs = graphsOfLength(manifest, options.length);
  const ort = options.ort ?? (await importOrt());
  const sessions = new Map<string, Session>();
  try {
    for (const name of ["embed", "step", "denoise", "round", "time", "encode", "filters"]) {
      const graph = graphs.get(name);
      if (graph !== undefined) sessions.set(name, await openSession(ort, location, graph, manifest, options));
    }
    const graphsOf = openGraphs(ort, sessions, file, options.length);
    return { manifest, runner: runners[stateOfGraphs(graphs)](graphsOf) };
  } catch (error) {
    for (const { session } of sessions.values()) await session.release();
    throw error;
  }
}

async function openSession(
  ort: OrtModule,
  location: string,
  graph: ManifestGraph,
  manifest: RuntimeManifest,
  options: OnnxOptions,
): Promise<Session> {
  const providers = options.executionProviders ?? ["cpu"];
  const weights = manifest.weights?.file;
  try {
    const session = await ort.InferenceSession.create(inside(location, graph.file), {
      executionProviders: providers,
      intraOpNumThreads: options.threads ?? 1,
      interOpNumThreads: 1,
      executionMode: "sequential",
      // Beside a path ONNX Runtime finds the weights itself; a page has to say where they are.
      ...(isUrl(location) && weights !== undefined
        ? { externalData: [{ path: weights, data: inside(location, weights) }] }
        : {}),
    });
    return { graph, session };
  } catch (error) {
    throw new DlmcError(
      [
        {
          severity: "error",
          code: "onnx/session",
          message: `ONNX Runtime does not load ${graph.file}: ${error instanceof Error ? error.message : String(error)}`,
          file: inside(location, graph.file),
          help: `the execution providers were ${providers.join(", ")}; try "cpu", or a newer ONNX Runtime`,
        },
      ],
      exitCodes.unsupported,
    );
  }
}

/** Over open sessions; `file` is what diagnostics call the bundle. */
function openGraphs(
  ort: OrtModule,
  sessions: ReadonlyMap<string, Session>,
  file: string,
  length: number | undefined,
): OpenGraphs {
  /** Outputs of @filters (run once) and of @time (run once for every level), for graphs that take them. */
  const supplied = new Map<string, Promise<Readonly<Record<string, OrtTensor>>>>();
  /** Outputs of @encode, once for every encoder's output. */
  const encoded = new WeakMap<HostArray, Promise<Readonly<Record<string, OrtTensor>>>>();
  const supply = (name: string, values: Values, batch: number) => {
    const encode = sessions.get("encode");
    if (encode?.graph.outputs.some((port) => port.name === name)) {
      const encoder = values.encoder ?? noEncoder();
      const outputs = encoded.get(encoder) ?? run(encode, { encoder }, batch);
      encoded.set(encoder, outputs);
      return outputs.then((all) => all[name]!);
    }
    if (name.startsWith("encoder")) noEncoder();
    for (const supplier of ["filters", "time"]) {
      const session = sessions.get(supplier);
      if (!session?.graph.outputs.some((port) => port.name === name)) continue;
      // @step takes one row of the table of @time: all rows of a batch are at the same level.
      const key = supplier === "time" ? `time ${values.level?.[0]}` : supplier;
      if (!supplied.has(key)) supplied.set(key, run(session, values, 1));
      return supplied.get(key)!.then((outputs) => outputs[name]!);
    }
    return fail("bundle/unknown-input", `a graph takes "${name}", which this runtime cannot give`, {
      file,
      help: "use the version of dlmc that wrote the bundle",
    });
  };

  async function run({ graph, session }: Session, values: Values, batch: number) {
    const feeds: Record<string, OrtTensor> = {};
    for (const port of graph.inputs) {
      const value = values[port.name];
      feeds[port.name] =
        value === undefined
          ? await supply(port.name, values, batch)
          : toTensor(ort, port, fitted(value, port, batch), shapeOf(port, batch, length));
    }
    return session.run(feeds);
  }

  return {
    need: (name) =>
      sessions.get(name) ??
      fail("bundle/missing-graph", `the bundle has no graph "${name}"`, {
        file,
        help: "compile a whole model",
      }),
    has: (name) => sessions.has(name),
    port: (ports, name) => portOf(ports, name, file),
    known: (extent, what) =>
      typeof extent === "number"
        ? extent
        : fail("bundle/length", `the bundle does not fix its ${what}`, {
            file,
            help: "say which length to load",
          }),
    run,
    length,
    encoder: encoderPort(new Map([...sessions].map(([name, { graph }]) => [name, graph]))),
    async dispose() {
      for (const { session } of sessions.values()) await session.release();
    },
  };
}

/** The runner of a model of tokens. */
function tokenRunner({ need, port, known, run, length, encoder, dispose }: OpenGraphs): TokenRunner {
  const denoise = need("denoise");
  const { shape } = port(denoise.graph.outputs, "logits");
  return {
    length: known(typeof shape[1] === "number" ? shape[1] : length, "sequence length"),
    vocabulary: known(shape[2], "vocabulary"),
    ...(encoder && { encoder }),
    async logits({ batch, tokens, level, encoder }) {
      const values = { tokens, level: Float64Array.from(level), ...encoderValues(encoder) };
      return floatsOf((await run(denoise, values, batch)).logits!);
    },
    dispose,
  };
}

/** The runner of a model of embeddings. */
function stepRunner({ need, has, port, known, run, length, encoder, dispose }: OpenGraphs): StepRunner {
  const step = need("step");
  const scores = has("round") ? need("round") : need("denoise");
  const [, stepLength, dim] = port(step.graph.inputs, "x").shape;
  const vocabulary = port(scores.graph.outputs, "logits").shape[2];
  const denoise = has("denoise") ? need("denoise") : undefined;
  const round = has("round") ? need("round") : undefined;
  return {
    length: known(typeof stepLength === "number" ? stepLength : length, "sequence length"),
    dim: known(dim, "embedding width"),
    vocabulary: known(vocabulary, "vocabulary"),
    ...(encoder && { encoder }),
    async embed(tokens, batch) {
      const outputs = await run(need("embed"), { tokens }, batch);
      return floatsOf(outputs.x!);
    },
    async step({ batch, x, previousX0, noise, row, fixedMask, fixedX, encoder }) {
      const outputs = await run(
        step,
        {
          x,
          self_cond: previousX0,
          x0_prev: previousX0,
          noise,
          coefficients: Float64Array.of(row.a, row.b, row.c, row.s),
          ...levelInputs(row, (value) => Float64Array.of(value)),
          fixed_mask: fixedMask,
          fixed_x: fixedX,
          ...encoderValues(encoder),
        },
        batch,
      );
      return {
        x: floatsOf(outputs.x_next!),
        x0: floatsOf(outputs.x0!),
        tokens: tokensOf(outputs.tokens!),
      };
    },
    ...(denoise === undefined
      ? {}
      : {
          async denoise({ batch, x, previousX0, point, encoder }) {
            const values = {
              x,
              self_cond: previousX0,
              ...levelInputs(point, (value) => Float64Array.of(value)),
              ...encoderValues(encoder),
            };
            const logits = floatsOf((await run(denoise, values, batch)).logits!);
            return { logits, tokens: argmaxRows(logits, known(vocabulary, "vocabulary")) };
          },
        }),
    ...(round === undefined
      ? {}
      : {
          async round(x, batch, encoder) {
            const outputs = await run(round, { x, ...encoderValues(encoder) }, batch);
            return { logits: floatsOf(outputs.logits!), tokens: tokensOf(outputs.tokens!) };
          },
        }),
    dispose,
  } satisfies StepRunner;
}

/** By what @denoise takes. */
const runners = { tokens: tokenRunner, simplex: onnxSimplexRunner, embeddings: stepRunner };

function portOf(ports: readonly ManifestPort[], name: string, file: string): ManifestPort {
  return (
    ports.find((port) => port.name === name) ??
    fail("bundle/manifest", `a graph of the manifest lacks the port "${name}"`, { file })
  );
}

/** A port's shape with the batch and the length put in for their names. */
function shapeOf(port: ManifestPort, batch: number, length: number | undefined): readonly number[] {
  return port.shape.map((extent) =>
    typeof extent === "number" ? extent : extent === "L" && length !== undefined ? length : batch,
  );
}

/** A number that holds for the whole batch, repeated for ports that take one per row. */
function fitted(value: HostArray, port: ManifestPort, batch: number): HostArray {
  const perRow = port.shape.length === 1 && typeof port.shape[0] === "string";
  return perRow && value.length === 1 ? new Float64Array(batch).fill(value[0]!) : value;
}
