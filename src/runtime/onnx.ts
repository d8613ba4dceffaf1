// A StepRunner on ONNX Runtime: loads the bundle that `dlmc compile` wrote and feeds its graphs.

import { levelInputs } from "../diffusion/plan.js";
import { DlmcError, exitCodes, fail } from "../support/diagnostic.js";
import type { Runner } from "./any-runner.js";
import { hostBlocks } from "./discrete/host-blocks.js";
import {
  graphsOfLength,
  type ManifestGraph,
  type ManifestPort,
  parseManifest,
  type RuntimeManifest,
  takesTokens,
} from "./manifest.js";
import { argmaxRows } from "./margins.js";
import { importOrt, type OrtModule, type OrtSession, type OrtTensor } from "./ort.js";
import { floatsOf, type HostArray, tokensOf, toTensor } from "./ort-tensor.js";
import { inside, isUrl, readText } from "./read-text.js";
import type { StepRunner } from "./step-runner.js";
import type { BlockSession, TokenRunner } from "./token-runner.js";

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
    for (const name of ["embed", "step", "denoise", "block", "prefix", "round", "time", "filters"]) {
      const graph = graphs.get(name);
      if (graph !== undefined) sessions.set(name, await openSession(ort, location, graph, manifest, options));
    }
    const graphsOf = openGraphs(ort, sessions, file, options.length);
    return { manifest, runner: takesTokens(graphs) ? tokenRunner(graphsOf) : stepRunner(graphsOf) };
  } catch (error) {
    for (const { session } of sessions.values()) await session.release();
    throw error;
  }
}

interface Session {
  readonly graph: ManifestGraph;
  readonly session: OrtSession;
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

type Values = Readonly<Record<string, HostArray>>;

/** A bundle's sessions, and what every runner over them needs. */
interface OpenGraphs {
  /** The session of a graph. Throws `bundle/missing-graph`. */
  need(name: string): Session;
  has(name: string): boolean;
  /** The port of a graph. Throws `bundle/manifest`. */
  port(ports: readonly ManifestPort[], name: string): ManifestPort;
  /** The extent as a number. Throws `bundle/length`. */
  known(extent: number | string | undefined, what: string): number;
  run(session: Session, values: Values, batch: number): Promise<Readonly<Record<string, OrtTensor>>>;
  /** The length asked for. */
  readonly length: number | undefined;
  dispose(): Promise<void>;
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
  const supply = (name: string, values: Values) => {
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
          ? await supply(port.name, values)
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
    async dispose() {
      for (const { session } of sessions.values()) await session.release();
    },
  };
}

/** The runner of a model of tokens. */
function tokenRunner(graphs: OpenGraphs): TokenRunner {
  const { need, has, port, known, run, length, dispose } = graphs;
  const denoise = need("denoise");
  const { shape } = port(denoise.graph.outputs, "logits");
  return {
    length: known(typeof shape[1] === "number" ? shape[1] : length, "sequence length"),
    vocabulary: known(shape[2], "vocabulary"),
    async logits({ batch, tokens, level }) {
      return floatsOf((await run(denoise, { tokens, level: Float64Array.from(level) }, batch)).logits!);
    },
    ...(has("block") && { openBlocks: (batch) => blockSession(graphs, batch) }),
    dispose,
  };
}

/** Caches are arrays that ONNX Runtime reads where they lie. */
function blockSession({ need, has, run, length }: OpenGraphs, batch: number): BlockSession {
  const sessions = ["block", ...(has("prefix") ? ["prefix"] : [])].map(need);
  return hostBlocks({
    batch,
    inputs: sessions.flatMap(({ graph }) =>
      graph.inputs.map((input) => ({ name: input.name, shape: shapeOf(input, batch, length) })),
    ),
    hasPrefix: has("prefix"),
    zeros: (count) => new Float32Array(count),
    async run(name, feeds) {
      const outputs = Object.entries(await run(need(name), feeds, batch));
      return Object.fromEntries(outputs.map(([output, made]) => [output, floatsOf(made)]));
    },
  });
}

/** The runner of a model of embeddings. */
function stepRunner({ need, has, port, known, run, length, dispose }: OpenGraphs): StepRunner {
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
    async embed(tokens, batch) {
      const outputs = await run(need("embed"), { tokens }, batch);
      return floatsOf(outputs.x!);
    },
    async step({ batch, x, previousX0, noise, row, fixedMask, fixedX }) {
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
          async denoise({ batch, x, previousX0, point }) {
            const values = {
              x,
              self_cond: previousX0,
              ...levelInputs(point, (value) => Float64Array.of(value)),
            };
            const logits = floatsOf((await run(denoise, values, batch)).logits!);
            return { logits, tokens: argmaxRows(logits, known(vocabulary, "vocabulary")) };
          },
        }),
    ...(round === undefined
      ? {}
      : {
          async round(x, batch) {
            const outputs = await run(round, { x }, batch);
            return { logits: floatsOf(outputs.logits!), tokens: tokensOf(outputs.tokens!) };
          },
        }),
    dispose,
  } satisfies StepRunner;
}

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
