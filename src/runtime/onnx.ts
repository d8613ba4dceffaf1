// A StepRunner on ONNX Runtime: loads the bundle that `dlmc compile` wrote and feeds its graphs.

import { coefficientsOf, levelInputs } from "../diffusion/rows.js";
import { DlmcError, exitCodes } from "../support/diagnostic.js";
import type { Runner } from "./any-runner.js";
import { classValues } from "./classes.js";
import { hostBlocks } from "./discrete/host-blocks.js";
import { encoderValues } from "./encoder.js";
import {
  graphsOfLength,
  type ManifestGraph,
  parseManifest,
  type RuntimeManifest,
  stateOfGraphs,
} from "./manifest.js";
import { argmaxRows } from "./margins.js";
import { type OpenGraphs, openGraphs, type Session, shapeOf, takesClass } from "./onnx-graphs.js";
import { onnxSimplexRunner } from "./onnx-simplex.js";
import { importOrt, type OrtModule } from "./ort.js";
import { floatsOf, tokensOf } from "./ort-tensor.js";
import { inside, isUrl, readText } from "./read-text.js";
import { previousPort, previousRows } from "./self-conditioning.js";
import type { FloatArray, StepRunner } from "./step-runner.js";
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
    for (const name of [
      "embed",
      "step",
      "denoise",
      "block",
      "prefix",
      "round",
      "decode",
      "time",
      "encode",
      "filters",
    ]) {
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

/** The runner of a model of tokens. */
function tokenRunner(graphs: OpenGraphs): TokenRunner {
  const { need, has, port, known, run, length, encoder, dispose } = graphs;
  const denoise = need("denoise");
  const { shape } = port(denoise.graph.outputs, "logits");
  const sequence = known(typeof shape[1] === "number" ? shape[1] : length, "sequence length");
  const vocabulary = known(shape[2], "vocabulary");
  const selfConditioned = denoise.graph.inputs.some(({ name }) => name === previousPort);
  return {
    length: sequence,
    vocabulary,
    selfConditioned,
    ...(encoder && { encoder }),
    async logits({ batch, tokens, level, previous, encoder, classes }) {
      const values = {
        tokens,
        level: Float64Array.from(level),
        ...(selfConditioned && {
          [previousPort]: previous?.logits ?? new Float32Array(batch * sequence * vocabulary),
          ...previousRows(previous, batch),
        }),
        ...encoderValues(encoder),
        ...classValues(classes, takesClass(denoise)),
      };
      return floatsOf((await run(denoise, values, batch)).logits!);
    },
    ...(has("block") && {
      openBlocks: (batch, count) => Array.from({ length: count }, () => blockSession(graphs, batch)),
    }),
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
function stepRunner({ need, has, port, known, run, length, encoder, dispose }: OpenGraphs): StepRunner {
  const step = need("step");
  const [, stepLength, dim] = port(step.graph.inputs, "x").shape;
  const [denoise, round, decode] = ["denoise", "round", "decode"].map((name) =>
    has(name) ? need(name) : undefined,
  );
  const scores = [round, decode, denoise].flatMap((session) => session?.graph.outputs ?? []);
  // Latents that nothing decodes have no tokens.
  const vocabulary = scores.find(({ name }) => name === "logits")?.shape[2] ?? (decode && 0);
  return {
    length: known(typeof stepLength === "number" ? stepLength : length, "sequence length"),
    dim: known(dim, "embedding width"),
    vocabulary: known(vocabulary, "vocabulary"),
    ...(encoder && { encoder }),
    async embed(tokens, batch) {
      const outputs = await run(need("embed"), { tokens }, batch);
      return floatsOf(outputs.x!);
    },
    async step({ batch, x, previousX0, noise, row, fixedMask, fixedX, encoder, classes }) {
      const outputs = await run(
        step,
        {
          x,
          self_cond: previousX0,
          x0_prev: previousX0,
          noise,
          coefficients: Float64Array.from(coefficientsOf(row)),
          ...levelInputs(row, (values) => Float64Array.from(values)),
          fixed_mask: fixedMask,
          fixed_x: fixedX,
          ...encoderValues(encoder),
          ...classValues(classes, takesClass(step)),
        },
        batch,
      );
      return {
        x: floatsOf(outputs.x_next!),
        x0: floatsOf(outputs.x0!),
        tokens: outputs.tokens ? tokensOf(outputs.tokens) : new Int32Array(),
      };
    },
    ...(denoise === undefined
      ? {}
      : {
          async denoise({ batch, x, previousX0, point, fixedMask, encoder, classes }) {
            const values = {
              x,
              self_cond: previousX0,
              fixed_mask: fixedMask,
              ...levelInputs(point, (values) => Float64Array.from(values)),
              ...encoderValues(encoder),
              ...classValues(classes, takesClass(denoise)),
            };
            const logits = floatsOf((await run(denoise, values, batch)).logits!);
            return { logits, tokens: argmaxRows(logits, known(vocabulary, "vocabulary")) };
          },
        }),
    ...(round === undefined
      ? {}
      : {
          async round(x, batch, encoder, classes) {
            const values = { x, ...encoderValues(encoder), ...classValues(classes, takesClass(round)) };
            const outputs = await run(round, values, batch);
            return { logits: floatsOf(outputs.logits!), tokens: tokensOf(outputs.tokens!) };
          },
        }),
    ...(decode && {
      async decode(x: FloatArray, batch: number) {
        const { latents, logits, tokens } = await run(decode, { x }, batch);
        return {
          latents: floatsOf(latents!),
          tokens: tokens ? tokensOf(tokens) : new Int32Array(),
          ...(logits && { logits: floatsOf(logits) }),
        };
      },
    }),
    dispose,
  } satisfies StepRunner;
}

/** By what @denoise takes. */
const runners = { tokens: tokenRunner, simplex: onnxSimplexRunner, embeddings: stepRunner };
