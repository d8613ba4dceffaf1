// Checkpoints in several files: lazily opened, and every fault of an index named.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { memorySource } from "../../src/weights/byte-source.js";
import { openCheckpoint } from "../../src/weights/open.js";
import type { Checkpoint } from "../../src/weights/safetensors.js";
import { openShards } from "../../src/weights/shards.js";
import { diagnosticsOf, f32, file } from "./helpers.js";

const shards: Readonly<Record<string, Uint8Array>> = {
  "one.safetensors": file({ a: { dtype: "F32", shape: [1], data_offsets: [0, 4] } }, f32(1)),
  "sub/two.safetensors": file({ b: { dtype: "F32", shape: [2], data_offsets: [0, 8] } }, f32(2, 3)),
  "damaged.safetensors": file({ c: { dtype: "F32", shape: [2], data_offsets: [0, 8] } }, f32(2)),
};

function openIndex(index: string | object, opened: string[] = []): Checkpoint {
  return openShards("index.json", typeof index === "string" ? index : JSON.stringify(index), {
    exists: (name) => Object.hasOwn(shards, name),
    open: (name) => {
      opened.push(name);
      return memorySource(shards[name]!, name);
    },
  });
}

test("a shard is opened when one of its tensors is asked for, once", () => {
  const opened: string[] = [];
  const checkpoint = openIndex(
    { metadata: { total_size: 12 }, weight_map: { a: "one.safetensors", b: "sub/two.safetensors" } },
    opened,
  );
  expect(checkpoint.names()).toEqual(["a", "b"]);
  expect(opened).toEqual([]);
  expect([...checkpoint.read("b")]).toEqual([2, 3]);
  expect(checkpoint.info("b")).toMatchObject({ file: "sub/two.safetensors", shape: [2] });
  expect([...checkpoint.bytes("b", 4, 4)]).toEqual([0, 0, 0x40, 0x40]);
  expect(opened).toEqual(["sub/two.safetensors"]);
  expect(checkpoint.info("c")).toBeUndefined();
});

interface Fault {
  readonly what: string;
  readonly index: string | object;
  readonly code: string;
  readonly says: RegExp;
  readonly pointer?: string;
}

const map = (name: unknown) => ({ weight_map: { "a/x": name } });
const faults: readonly Fault[] = [
  { what: "no JSON", index: '{"weight_map":', code: "json/syntax", says: /value/ },
  {
    what: "a tensor in two shards",
    index: '{"weight_map": {"a": "one.safetensors", "a": "x"}}',
    code: "json/duplicate-key",
    says: /"a"/,
  },
  { what: "a list", index: "[]", code: "shards/index", says: /found undefined/, pointer: "" },
  {
    what: "no weight_map",
    index: { weights: {} },
    code: "shards/index",
    says: /`weight_map` must map/,
    pointer: "",
  },
  {
    what: "a weight_map that is a list",
    index: { weight_map: ["a"] },
    code: "shards/index",
    says: /found \["a"\]/,
    pointer: "/weight_map",
  },
  {
    what: "a shard that is a number",
    index: map(1),
    code: "shards/path",
    says: /lies in 1, but it is no text/,
    pointer: "/weight_map/a~1x",
  },
  {
    what: "a shard that is empty text",
    index: map(""),
    code: "shards/path",
    says: /empty part/,
    pointer: "/weight_map/a~1x",
  },
  {
    what: "a path upwards",
    index: map("../secret"),
    code: "shards/path",
    says: /"..\/secret", but a path may not lead out/,
    pointer: "/weight_map/a~1x",
  },
  {
    what: "a path up from below",
    index: map("sub/../../x"),
    code: "shards/path",
    says: /lead out/,
    pointer: "/weight_map/a~1x",
  },
  {
    what: "an absolute path",
    index: map("/etc/passwd"),
    code: "shards/path",
    says: /absolute/,
    pointer: "/weight_map/a~1x",
  },
  {
    what: "a drive letter",
    index: map("C:/x"),
    code: "shards/path",
    says: /absolute/,
    pointer: "/weight_map/a~1x",
  },
  {
    what: "a backslash",
    index: map("..\\x"),
    code: "shards/path",
    says: /backslash/,
    pointer: "/weight_map/a~1x",
  },
  {
    what: "a zero character",
    index: map("one.safetensors\0"),
    code: "shards/path",
    says: /control character/,
    pointer: "/weight_map/a~1x",
  },
  {
    what: "a missing shard",
    index: { weight_map: { a: "three.safetensors", b: "three.safetensors" } },
    code: "shards/missing-file",
    says: /`three.safetensors` is not there; the index puts 2 tensors in it, `a` first/,
    pointer: "/weight_map/a",
  },
];

test.each(faults)("an index with $what", ({ index, code, says, pointer }) => {
  const diagnostics = diagnosticsOf(() => openIndex(index));
  expect(diagnostics).toHaveLength(1);
  expect(diagnostics[0]).toMatchObject({ severity: "error", code, file: "index.json" });
  expect(diagnostics[0]!.message).toMatch(says);
  if (pointer !== undefined) expect(diagnostics[0]!.pointer).toBe(pointer);
});

test("two bad paths and two missing shards are all reported", () => {
  const paths = diagnosticsOf(() => openIndex({ weight_map: { a: "/x", b: "../y" } }));
  expect(paths.map((d) => d.pointer)).toEqual(["/weight_map/a", "/weight_map/b"]);
  const missing = diagnosticsOf(() => openIndex({ weight_map: { a: "x", b: "y" } }));
  expect(missing.map((d) => d.code)).toEqual(["shards/missing-file", "shards/missing-file"]);
});

test("a tensor that its shard does not have", () => {
  const checkpoint = openIndex({
    weight_map: { a: "one.safetensors", z: "one.safetensors", y: "one.safetensors" },
  });
  const diagnostics = diagnosticsOf(() => checkpoint.info("a"));
  expect(diagnostics).toHaveLength(1);
  expect(diagnostics[0]).toMatchObject({
    code: "shards/missing-tensor",
    pointer: "/weight_map/z",
    file: "index.json",
  });
  expect(diagnostics[0]!.message).toContain("the index puts `z` and 1 more in `one.safetensors`");
});

test("a damaged shard is named itself", () => {
  const checkpoint = openIndex({ weight_map: { c: "damaged.safetensors" } });
  const diagnostics = diagnosticsOf(() => checkpoint.info("c"));
  expect(diagnostics).toHaveLength(1);
  expect(diagnostics[0]).toMatchObject({
    code: "safetensors/outside",
    file: "damaged.safetensors",
    pointer: "/c",
  });
});

test("a directory is opened through its index", () => {
  const directory = mkdtempSync(join(tmpdir(), "dlmc-shards-"));
  writeFileSync(join(directory, "one.safetensors"), shards["one.safetensors"]!);
  writeFileSync(
    join(directory, "model.safetensors.index.json"),
    JSON.stringify({ weight_map: { a: "one.safetensors" } }),
  );
  const checkpoint = openCheckpoint(directory);
  expect([...checkpoint.read("a")]).toEqual([1]);
  checkpoint.close();
  rmSync(directory, { recursive: true });
});
