// From paths of a description or of the command line to a checkpoint.

import { dirname, join, resolve } from "node:path";
import { fail } from "../support/diagnostic.js";
import { fileSource, pathKind, readText } from "./file-source.js";
import { joinCheckpoints } from "./join.js";
import { type Checkpoint, openSafetensors } from "./safetensors.js";
import { openShards } from "./shards.js";

/** As the paths of schema/weights.schema.json. */
export interface WeightPaths {
  readonly file?: string;
  readonly files?: readonly string[];
  readonly index?: string;
}

/**
 * Opens what the `weights` part of a description names, relative to the description's directory; nothing
 * when it names no file (the weights are synthetic then). Throws as `openCheckpoint`.
 */
export function openWeights(paths: WeightPaths, directory: string): Checkpoint | undefined {
  const named = [paths.file, paths.index, ...(paths.files ?? [])].filter((path) => path !== undefined);
  const parts = named.map((path) => openCheckpoint(resolve(directory, path)));
  return parts.length > 1 ? joinCheckpoints(parts) : parts[0];
}

/**
 * Opens `*.safetensors`, `*.index.json`, or a directory (its `model.safetensors.index.json`, else its
 * `model.safetensors`). Throws `weights/open` and the problems of headers and indexes.
 */
export function openCheckpoint(path: string): Checkpoint {
  if (pathKind(path) === "directory") return openCheckpoint(fileOfDirectory(path));
  if (!path.endsWith(".json")) return openSafetensors(fileSource(path));
  const directory = dirname(path);
  return openShards(path, readText(path), {
    exists: (name) => pathKind(join(directory, name)) === "file",
    open: (name) => fileSource(join(directory, name)),
  });
}

function fileOfDirectory(directory: string): string {
  const candidates = ["model.safetensors.index.json", "model.safetensors"];
  const found = candidates.map((name) => join(directory, name)).find((path) => pathKind(path) === "file");
  return (
    found ??
    fail("weights/open", `directory \`${directory}\` has neither ${candidates.join(" nor ")}`, {
      file: directory,
      help: "name the weight file itself",
    })
  );
}
