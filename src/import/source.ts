// What an import reads: shapes of a checkpoint's tensors and the config.json beside it, or the training arguments.

import { readdirSync, readFileSync } from "node:fs";
import { basename, dirname, extname, join } from "node:path";
import { fail } from "../support/diagnostic.js";
import { pathKind } from "../weights/file-source.js";
import { openCheckpoint } from "../weights/open.js";
import { pickleHelp } from "./pickle.js";

/** A checkpoint's names and shapes, and its config.json. */
export interface Source {
  /** The file that the description names: a safetensors file or an index of shards. */
  readonly file: string;
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  /** Undefined when there is neither config.json nor training_args.json. */
  readonly config: unknown;
  readonly configFile: string;
}

const isPickle = (name: string): boolean =>
  [".pt", ".pth", ".ckpt", ".bin", ".pkl"].includes(extname(name).toLowerCase());

/**
 * Reads names and shapes of a safetensors file, an index of shards, or a directory that holds one of them.
 * `stateDict` is the Python expression for the weights within a PyTorch checkpoint of the layout asked for.
 * Throws `import/pickle` for PyTorch files, `import/config` for a damaged config.json, and what opening throws.
 */
export function readSource(path: string, stateDict: string | undefined): Source {
  const file = pathKind(path) === "directory" ? weightFile(path, stateDict) : path;
  if (isPickle(file) && pathKind(file) === "file") refusePickle([file], stateDict);
  const checkpoint = openCheckpoint(file);
  try {
    const shapes = new Map(checkpoint.names().map((name) => [name, checkpoint.info(name)!.shape]));
    const configFile = configBeside(file);
    return { file, shapes, configFile, config: readConfig(configFile) };
  } finally {
    checkpoint.close();
  }
}

/** Hugging Face's file, or what Diffusion-LM and DiffuSeq write beside their checkpoints. */
function configBeside(file: string): string {
  const paths = ["config.json", "training_args.json"].map((name) => join(dirname(file), name));
  return paths.find((path) => pathKind(path) === "file") ?? paths[0]!;
}

/** The index of shards, model.safetensors, or the only safetensors file of a directory. */
function weightFile(directory: string, stateDict: string | undefined): string {
  const names = readdirSync(directory).sort();
  const indexes = names.filter((name) => name.endsWith(".safetensors.index.json"));
  const usual = ["model.safetensors.index.json", "model.safetensors"].find((name) => names.includes(name));
  if (usual !== undefined) return join(directory, usual);
  if (indexes.length === 1) return join(directory, indexes[0]!);
  const stored = names.filter((name) => name.endsWith(".safetensors"));
  if (stored.length === 1) return join(directory, stored[0]!);
  if (stored.length === 0) refusePickles(directory, names, stateDict);
  return fail(
    "import/no-checkpoint",
    stored.length === 0
      ? "the directory has no safetensors file"
      : `the directory has several safetensors files and no index: ${stored.join(", ")}`,
    { file: directory, help: "name the checkpoint's file, or its *.safetensors.index.json" },
  );
}

/** Refuses a directory of PyTorch files: its numbered shards together, else the first one. */
function refusePickles(directory: string, names: readonly string[], stateDict: string | undefined): void {
  const found = names.filter(isPickle);
  const shards = found.filter((name) => /-\d+-of-\d+\./.test(name));
  const chosen = shards.length > 0 ? shards : found.slice(0, 1);
  if (chosen.length > 0)
    refusePickle(
      chosen.map((name) => join(directory, name)),
      stateDict,
    );
}

function refusePickle(files: readonly string[], stateDict: string | undefined): never {
  return fail("import/pickle", "this is a PyTorch checkpoint; dlmc reads safetensors", {
    file: files[0]!,
    help: pickleHelp(files, stateDict),
  });
}

function readConfig(file: string): unknown {
  if (pathKind(file) !== "file") return undefined;
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    return fail("import/config", `${basename(file)} cannot be read: ${(error as Error).message}`, {
      file,
      help: "repair it or move it away; sizes it would have said can be given with --set NAME=VALUE",
    });
  }
}

/** The entry of a config at a dotted key, `model.n_heads`; undefined when it is not there or null. */
export function configEntry(config: unknown, key: string): unknown {
  let value = config;
  for (const part of key.split("."))
    value =
      typeof value === "object" && value !== null ? (value as Record<string, unknown>)[part] : undefined;
  return value ?? undefined;
}
