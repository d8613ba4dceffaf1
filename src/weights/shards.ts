// A checkpoint in several files: model.safetensors.index.json maps every tensor to its shard,
// {"metadata": {...}, "weight_map": {"blocks.0.norm1.weight": "model-00001-of-00002.safetensors", ...}}.
// A shard is opened when the first of its tensors is asked for.

import { bug, DlmcError, Report } from "../support/diagnostic.js";
import { parseJson } from "../support/json.js";
import { joinPointer } from "../support/pointer.js";
import type { SyncByteSource } from "./byte-source.js";
import type { StoredTensor } from "./header-entry.js";
import { isRecord, show } from "./header-json.js";
import { type Checkpoint, openSafetensors } from "./safetensors.js";

/** How the shards of one index are found; names are relative to the index. */
export interface ShardFiles {
  exists(name: string): boolean;
  open(name: string): SyncByteSource;
}

/**
 * Opens a sharded checkpoint from the text of its index. Throws a `DlmcError` with every problem of the
 * index (`json/...`, `shards/index`, `shards/path`) and every shard that is not there
 * (`shards/missing-file`). Asking for a tensor may throw the problems of its shard, `shards/missing-tensor`
 * when the shard lacks a tensor that the index promises.
 */
export function openShards(file: string, indexText: string, files: ShardFiles): Checkpoint {
  const shardOf = parseIndex(file, indexText);
  checkFiles(file, shardOf, files);
  const opened = new Map<string, Checkpoint | DlmcError>();
  const shard = (tensor: string): Checkpoint | undefined => {
    const name = shardOf.get(tensor);
    if (name === undefined) return undefined;
    let result = opened.get(name);
    if (result === undefined) {
      result = openShard(file, name, shardOf, files);
      opened.set(name, result);
    }
    if (result instanceof DlmcError) throw result;
    return result;
  };
  const owner = (tensor: string): Checkpoint =>
    shard(tensor) ?? bug(`tensor ${tensor} was read without looking for it in ${file}`);
  return {
    file,
    names: () => [...shardOf.keys()],
    info: (name): StoredTensor | undefined => shard(name)?.info(name),
    bytes: (name, from, length) => owner(name).bytes(name, from, length),
    read: (name) => owner(name).read(name),
    close: () => {
      for (const result of opened.values()) if (!(result instanceof DlmcError)) result.close();
    },
  };
}

/** Tensor name to shard name. */
function parseIndex(file: string, text: string): Map<string, string> {
  const report = new Report(file);
  const root = parseJson(text, report)?.value;
  report.throwIfErrors();
  const map = isRecord(root) ? root.weight_map : undefined;
  if (!isRecord(map))
    report.error("shards/index", `\`weight_map\` must map tensor names to files, found ${show(map)}`, {
      pointer: isRecord(root) && map !== undefined ? "/weight_map" : "",
      help: 'an index looks like {"weight_map": {"tensor name": "model-00001-of-00002.safetensors"}}',
    });
  report.throwIfErrors();
  const shardOf = new Map<string, string>();
  for (const [tensor, name] of Object.entries(map as Record<string, unknown>)) {
    const pointer = joinPointer("/weight_map", tensor);
    const problem = typeof name === "string" ? pathProblem(name) : "it is no text";
    if (problem === undefined) shardOf.set(tensor, name as string);
    else
      report.error("shards/path", `tensor \`${tensor}\` lies in ${show(name)}, but ${problem}`, {
        pointer,
        help: "name the shard by its path below the directory of the index, with forward slashes",
      });
  }
  report.throwIfErrors();
  return shardOf;
}

/** An index comes from the internet: it may name files below its own directory and no others. */
function pathProblem(name: string): string | undefined {
  if (name.startsWith("/") || /^[A-Za-z]:/.test(name)) return "an absolute path may not be read";
  if (name.includes("\\")) return "a backslash may not be part of a shard's path";
  if ([...name].some((c) => c < " ")) return "a control character may not be part of a shard's path";
  const parts = name.split("/");
  if (parts.includes("..")) return "a path may not lead out of the checkpoint's directory";
  return parts.includes("") || parts.includes(".") ? "a path may have no empty part" : undefined;
}

function checkFiles(file: string, shardOf: ReadonlyMap<string, string>, files: ShardFiles): void {
  const report = new Report(file);
  for (const [name, tensors] of groupByShard(shardOf)) {
    if (files.exists(name)) continue;
    report.error(
      "shards/missing-file",
      `shard \`${name}\` is not there; the index puts ${tensors.length} tensors in it, \`${tensors[0]}\` first`,
      {
        pointer: joinPointer("/weight_map", tensors[0]!),
        help: "fetch every shard into the directory of the index",
      },
    );
  }
  report.throwIfErrors();
}

function openShard(
  file: string,
  name: string,
  shardOf: ReadonlyMap<string, string>,
  files: ShardFiles,
): Checkpoint | DlmcError {
  let shard: Checkpoint;
  try {
    shard = openSafetensors(files.open(name));
  } catch (error) {
    if (error instanceof DlmcError) return error;
    throw error;
  }
  const lacking = groupByShard(shardOf)
    .get(name)!
    .filter((tensor) => shard.info(tensor) === undefined);
  if (lacking.length === 0) return shard;
  shard.close();
  const report = new Report(file);
  const others = lacking.length > 1 ? ` and ${lacking.length - 1} more` : "";
  report.error(
    "shards/missing-tensor",
    `the index puts \`${lacking[0]}\`${others} in \`${name}\`, which has no such tensor`,
    {
      pointer: joinPointer("/weight_map", lacking[0]!),
      help: "index and shards belong to different versions; fetch both again",
    },
  );
  return new DlmcError(report.diagnostics);
}

function groupByShard(shardOf: ReadonlyMap<string, string>): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const [tensor, name] of shardOf) {
    const group = groups.get(name);
    if (group === undefined) groups.set(name, [tensor]);
    else group.push(tensor);
  }
  return groups;
}
