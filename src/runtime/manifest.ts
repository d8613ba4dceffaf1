// What the runtime reads of an ONNX bundle's manifest.json.

import type { PlanOptions, SamplerParts } from "../diffusion/plan.js";
import { fail } from "../support/diagnostic.js";
import type { EncoderPort } from "./step-runner.js";

/** One input or output of a graph. */
export interface ManifestPort {
  readonly name: string;
  /** ONNX's name of the element type: `float`, `float16`, `int64`, `bool`, ... */
  readonly element: string;
  /** Numbers, and names of extents that are free at run time (`B`, `L`). */
  readonly shape: readonly (number | string)[];
}

/** One graph: a file for one sequence length, or for all. */
export interface ManifestGraph {
  readonly name: string;
  readonly file: string;
  /** The sequence length the file is bound to; absent when it serves every length. */
  readonly length?: number;
  readonly inputs: readonly ManifestPort[];
  readonly outputs: readonly ManifestPort[];
}

/** The manifest; further members are facts that the runtime does not need. */
export interface RuntimeManifest {
  readonly format: "dlmc-onnx";
  readonly version: 1;
  readonly graphs: readonly ManifestGraph[];
  readonly weights?: { readonly file: string };
  /** What `planOf` needs, with the schedule constants that came with the weights. */
  readonly sampler?: SamplerParts & {
    readonly constants?: NonNullable<PlanOptions["constants"]>;
  };
  /** The vocabulary, in a form `createTokenizer` reads. */
  readonly vocabulary?: unknown;
}

/** Parse manifest.json. Throws `bundle/manifest` for a text that is not a manifest of this version. */
export function parseManifest(text: string, file: string): RuntimeManifest {
  const wrong = (message: string): never =>
    fail("bundle/manifest", message, { file, help: "compile the model again with this version of dlmc" });
  let parsed: Partial<RuntimeManifest>;
  try {
    parsed = JSON.parse(text) as Partial<RuntimeManifest>;
  } catch (error) {
    return wrong(`the manifest is not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (parsed?.format !== "dlmc-onnx")
    return wrong(`the manifest has format ${JSON.stringify(parsed?.format)}, not "dlmc-onnx"`);
  if (parsed.version !== 1)
    return wrong(`the manifest has version ${JSON.stringify(parsed.version)}; this runtime reads version 1`);
  if (!Array.isArray(parsed.graphs)) return wrong("the manifest lists no graphs");
  return parsed as RuntimeManifest;
}

/** What a plan is made from, with the compiled number of steps or another. Throws `bundle/no-sampler`. */
export function samplerOf(
  manifest: Pick<RuntimeManifest, "sampler">,
  numSteps?: number,
): [SamplerParts, PlanOptions] {
  if (manifest.sampler === undefined)
    return fail("bundle/no-sampler", "the bundle's manifest has no sampler: it is a part of a model", {
      help: "compile a whole model, or hand over a plan made with planOf",
    });
  const { constants, ...parts } = manifest.sampler;
  return [
    parts,
    {
      ...(constants === undefined ? {} : { constants }),
      ...(numSteps === undefined ? {} : { numSteps }),
    },
  ];
}

/**
 * The graphs for one sequence length, by name. Without `length` there must be one length only.
 * Throws `bundle/length` when the bundle was not built for it, or was built for several and none is named.
 */
export function graphsOfLength<G extends Pick<ManifestGraph, "name" | "length">>(
  manifest: { readonly graphs: readonly G[] },
  length: number | undefined,
): ReadonlyMap<string, G> {
  const bound = new Set(manifest.graphs.flatMap((graph) => graph.length ?? []));
  const built = [...bound].sort((p, q) => p - q).join(", ");
  if (length === undefined && bound.size > 1)
    fail("bundle/length", `the bundle was built for the lengths ${built}`, { help: "say which one to load" });
  if (length !== undefined && bound.size > 0 && !bound.has(length))
    fail("bundle/length", `the bundle was built for length ${built}, not ${length}`, {
      help: `compile it again with --length ${length}`,
    });
  const wanted = length ?? [...bound][0];
  return new Map(
    manifest.graphs
      .filter((graph) => graph.length === undefined || graph.length === wanted)
      .map((graph) => [graph.name, graph]),
  );
}

/** What the graphs take of an encoder: the ports of @encode, or of whichever graph reads it as it is. */
export function encoderPort(
  graphs: ReadonlyMap<
    string,
    { readonly inputs: readonly { readonly name: string; readonly shape: readonly (number | string)[] }[] }
  >,
): EncoderPort | undefined {
  const inputs = [...graphs.values()].flatMap((graph) => graph.inputs);
  const port = inputs.find(({ name }) => name === "encoder");
  if (port === undefined) return undefined;
  const [, length, dim] = port.shape as [unknown, number, number];
  return { length, dim, mask: inputs.some(({ name }) => name === "encoder_mask") };
}

/** The state of the model that these graphs are of: it is what @denoise takes. */
export function stateOfGraphs(
  graphs: ReadonlyMap<string, { readonly inputs: readonly { readonly name: string }[] }>,
): "tokens" | "simplex" | "embeddings" {
  const takes = (wanted: string): boolean =>
    graphs.get("denoise")?.inputs.some(({ name }) => name === wanted) ?? false;
  if (takes("tokens")) return "tokens";
  return takes("simplex") ? "simplex" : "embeddings";
}
