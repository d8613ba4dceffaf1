// From a path of the command line to a checkpoint: a file, an index of shards, or a directory with either.

import { dirname, join } from "node:path";
import { fail } from "../support/diagnostic.js";
import { fileSource, pathKind, readText } from "./file-source.js";
import { type Checkpoint, openSafetensors } from "./safetensors.js";
import { openShards } from "./shards.js";

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
