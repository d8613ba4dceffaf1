// generate(): run the sampler loop on the reference, or on an artefact, and see every state of it.

import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { referenceRunner } from "../reference/runner.js";
import {
  type ClassInput,
  type EncoderInput,
  type FixedTokens,
  generateTokens,
  loadOnnx,
  type Plan,
  planFromManifest,
  type Runner,
  type RuntimeManifest,
  type TokenState,
} from "../runtime/index.js";
import { createTokenizer, type Tokenizer } from "../runtime/tokenizer.js";
import { loadWebgpu } from "../runtime/webgpu/index.js";
import { fail } from "../support/diagnostic.js";
import type { BuildOptions } from "../targets.js";
import { compile } from "./compile.js";
import { readEncoder } from "./encoder.js";
import { openGpu } from "./gpu.js";
import { type LoadedModel, loadModel, type ModelOptions } from "./load.js";
import { planOfModel } from "./sampler-source.js";
import { type Vocabulary, vocabularyOf } from "./vocabulary.js";

export interface GenerateOptions extends ModelOptions, BuildOptions {
  /** `reference` (float64), or a compile target. */
  readonly target: string;
  /** Seed of the counter generator; 0 by default. */
  readonly seed?: number;
  /** Number of sampling steps; the description's own by default. */
  readonly steps?: number;
  /** Number of texts at once. */
  readonly batch?: number;
  /** Text with blanks: the blanks are generated, the rest is kept. Needs a vocabulary. */
  readonly prompt?: string;
  /** Tokens with blanks (null): the blanks are generated, the rest is kept. */
  readonly tokens?: readonly (number | null)[];
  /** The output of an encoder, for models that attend to one: numbers, or FILE.safetensors[:TENSOR]. */
  readonly encoder?: EncoderInput | string;
  /** The class of every text, or one a text, for models that are told one; none by default. */
  readonly classes?: ClassInput;
  readonly signal?: AbortSignal;
  /** false: with an exact cache no logits are kept for the last state, as in `TokenOptions`. */
  readonly keepLogits?: boolean;
}

/** A model opened for generation. */
export interface Session {
  /** What runs the network; of a compiled bundle its own target. */
  readonly target: string;
  readonly plan: Plan;
  readonly runner: Runner;
  readonly tokenizer: Tokenizer | undefined;
  /** Every state of one generation, the last one `done`. */
  states(seed?: number): AsyncGenerator<TokenState, void, undefined>;
  close(): Promise<void>;
}

/**
 * Opens a model (or a compiled bundle's directory) for generation.
 * Throws DlmcError: exit 2 for bad input, 3 for an unsupported graph, 5 when ONNX Runtime is not installed.
 */
export async function openSession(options: GenerateOptions): Promise<Session> {
  const { target, plan, runner, vocabulary, close } = await open(options);
  const tokenizer =
    vocabulary === undefined ? undefined : createTokenizer(vocabulary.symbols, vocabulary.options);
  const encoder = typeof options.encoder === "string" ? readEncoder(options.encoder) : options.encoder;
  const fixed = fixedTokens(options, runner.length, tokenizer);
  return {
    target,
    plan,
    runner,
    tokenizer,
    states: (seed = options.seed ?? 0) =>
      generateTokens(runner, {
        plan,
        noise: seed,
        batch: options.batch ?? 1,
        ...(fixed && { fixed }),
        ...(encoder && { encoder }),
        ...(options.classes !== undefined && { classes: options.classes }),
        ...(options.signal && { signal: options.signal }),
        ...(options.keepLogits === false && { keepLogits: false }),
      }),
    close,
  };
}

interface Opened {
  readonly target: string;
  readonly plan: Plan;
  readonly runner: Runner;
  readonly vocabulary: Vocabulary | undefined;
  close(): Promise<void>;
}

async function open(options: GenerateOptions): Promise<Opened> {
  if (isBundle(options.model)) return openBundle(options.model, options);
  const model = loadModel(options);
  const plan = planOfModel(model, options.steps);
  const vocabulary = vocabularyOf(model);
  const { target } = options;
  if (target === "reference") {
    const runner = referenceRunner(model.module);
    return { target, plan, runner, vocabulary, close: () => runner.dispose() };
  }
  return { ...(await openCompiled(options, model)), target, plan, vocabulary };
}

/** Compiles into a directory that lives as long as the session. */
async function openCompiled(
  options: GenerateOptions,
  model: LoadedModel,
): Promise<Pick<Opened, "runner" | "close">> {
  const directory = mkdtempSync(join(tmpdir(), "dlmc-"));
  const remove = (): void => rmSync(directory, { recursive: true, force: true });
  try {
    compile({
      ...options,
      outDir: join(directory, model.description.name),
      ...(options.length !== undefined && { lengths: [options.length] }),
    });
    const { runner, close } = await loadBundle(join(directory, model.description.name), {});
    return {
      runner,
      async close() {
        await close();
        remove();
      },
    };
  } catch (error) {
    remove();
    throw error;
  }
}

async function openBundle(directory: string, { length, steps, target }: GenerateOptions): Promise<Opened> {
  if (target === "reference")
    fail("generate/bundle-reference", `${directory} is a compiled bundle; the reference runs descriptions`, {
      help: "name the model.json, or use --target onnx",
    });
  const { runner, manifest, close } = await loadBundle(directory, length === undefined ? {} : { length });
  return {
    target: isWgsl(directory) ? "wgsl" : "onnx",
    runner,
    plan: planFromManifest(manifest, steps),
    vocabulary: manifest.vocabulary as Vocabulary | undefined,
    close,
  };
}

/** A bundle of either kind: the manifest's format says which. */
async function loadBundle(
  directory: string,
  options: { readonly length?: number },
): Promise<
  Pick<Opened, "runner" | "close"> & { readonly manifest: Pick<RuntimeManifest, "sampler" | "vocabulary"> }
> {
  if (isWgsl(directory)) {
    const { runner, manifest } = await loadWebgpu(directory, { ...options, gpu: await openGpu() });
    return { runner, manifest, close: () => runner.dispose() };
  }
  const { runner, manifest } = await loadOnnx(directory, options);
  return { runner, manifest, close: () => runner.dispose() };
}

function isWgsl(directory: string): boolean {
  return existsSync(join(directory, "kernels"));
}

function isBundle(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

function fixedTokens(
  { prompt, tokens }: GenerateOptions,
  length: number,
  tokenizer: Tokenizer | undefined,
): FixedTokens | undefined {
  if (prompt !== undefined) {
    if (tokenizer === undefined)
      return fail("generate/no-vocabulary", "a prompt needs a vocabulary and the description has none", {
        pointer: "/state_space",
        help: 'add "vocabulary" to state_space, or give --tokens FILE',
      });
    return tokenizer.encode(prompt, length);
  }
  if (tokens === undefined) return undefined;
  if (tokens.length > length)
    fail("generate/fixed-size", `${tokens.length} tokens are given, the model has ${length} positions`, {
      help: `give at most ${length}; null is a blank`,
    });
  const padded = Array.from({ length }, (_, i) => tokens[i] ?? null);
  return {
    tokens: Int32Array.from(padded, (token) => token ?? 0),
    mask: Uint8Array.from(padded, (token) => (token === null ? 0 : 1)),
  };
}

/** Reads a tokens file: a JSON list of token ids, null where a token is to be generated. Throws `generate/tokens-file`. */
export function readTokens(file: string): (number | null)[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    return fail("generate/tokens-file", `cannot read tokens from ${file}: ${(error as Error).message}`, {
      file,
      help: "expected a JSON list such as [3, null, 1]",
    });
  }
  const list = Array.isArray(parsed) ? parsed : [undefined];
  const wrong = list.findIndex((token) => token !== null && !(Number.isInteger(token) && token >= 0));
  if (wrong >= 0)
    fail(
      "generate/tokens-file",
      Array.isArray(parsed)
        ? `entry ${wrong} is ${JSON.stringify(list[wrong])}, expected a token id or null`
        : "expected a JSON list of token ids and nulls",
      { file, ...(Array.isArray(parsed) && { pointer: `/${wrong}` }) },
    );
  return list as (number | null)[];
}
