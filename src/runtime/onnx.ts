// A StepRunner on ONNX Runtime: loads the bundle that `dlmc compile` wrote and feeds its graphs.

import { DlmcError, exitCodes, fail } from "../support/diagnostic.js";
import {
  graphsOfLength,
  type ManifestGraph,
  type ManifestPort,
  parseManifest,
  type RuntimeManifest,
} from "./manifest.js";
import { argmaxRows } from "./margins.js";
import { importOrt, type OrtModule, type OrtSession, type OrtTensor } from "./ort.js";
import { floatsOf, type HostArray, tokensOf, toTensor } from "./ort-tensor.js";
import { inside, isUrl, readText } from "./read-text.js";
import type { StepRunner } from "./step-runner.js";

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
  readonly runner: StepRunner;
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
    for (const name of ["embed", "step", "denoise", "round", "time", "filters"]) {
      const graph = graphs.get(name);
      if (graph !== undefined) sessions.set(name, await openSession(ort, location, graph, manifest, options));
    }
    return { manifest, runner: onnxRunner(ort, sessions, file, options.length) };
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

/** The runner over open sessions; `file` is what diagnostics call the bundle. */
function onnxRunner(
  ort: OrtModule,
  sessions: ReadonlyMap<string, Session>,
  file: string,
  length: number | undefined,
): StepRunner {
  const missing = (name: string): never =>
    fail("bundle/missing-graph", `the bundle has no graph "${name}"`, {
      file,
      help: "compile a whole model",
    });
  const step = sessions.get("step") ?? missing("step");
  const scores = sessions.get("round") ?? sessions.get("denoise") ?? missing("round");
  const [, stepLength, dim] = portOf(step.graph.inputs, "x", file).shape;
  const vocabulary = portOf(scores.graph.outputs, "logits", file).shape[2];
  const extents = { L: typeof stepLength === "number" ? stepLength : length };
  const known = (extent: number | string | undefined, what: string): number =>
    typeof extent === "number"
      ? extent
      : fail("bundle/length", `the bundle does not fix its ${what}`, {
          file,
          help: "say which length to load",
        });

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
          : toTensor(ort, port, fitted(value, port, batch), shapeOf(port, batch, extents.L));
    }
    return session.run(feeds);
  }

  const denoise = sessions.get("denoise");
  const round = sessions.get("round");
  return {
    length: known(extents.L, "sequence length"),
    dim: known(dim, "embedding width"),
    vocabulary: known(vocabulary, "vocabulary"),
    async embed(tokens, batch) {
      const outputs = await run(sessions.get("embed") ?? missing("embed"), { tokens }, batch);
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
          level: Float64Array.of(row.level),
          prior_scale: Float64Array.of(row.priorScale),
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
              level: Float64Array.of(point.level),
              prior_scale: Float64Array.of(point.priorScale),
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
    async dispose() {
      for (const { session } of sessions.values()) await session.release();
    },
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
