// Real files: ranged reading of a file larger than memory should hold, and what can go wrong on disk.

import { closeSync, mkdtempSync, openSync, rmSync, truncateSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { fileSink, fileSource } from "../../src/weights/file-source.js";
import { openCheckpoint, openWeights } from "../../src/weights/open.js";
import { writeSafetensors } from "../../src/weights/writer.js";
import { diagnosticsOf, f32, file, text, u64 } from "./helpers.js";

let directory = "";
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "dlmc-weights-"));
});
afterAll(() => rmSync(directory, { recursive: true }));

test("a file of 3 GB is read without loading it", () => {
  const path = join(directory, "big.safetensors");
  const extent = 800_000_000;
  const header = text(
    JSON.stringify({
      big: { dtype: "F32", shape: [extent], data_offsets: [0, 4 * extent] },
      last: { dtype: "F32", shape: [2], data_offsets: [4 * extent, 4 * extent + 8] },
    }),
  );
  const begin = 8 + header.length;
  const handle = openSync(path, "w");
  writeSync(handle, u64(header.length));
  writeSync(handle, header);
  // A hole in the file system: 3.2 GB long, no blocks on disk.
  writeSync(handle, f32(5, 6), 0, 8, begin + 4 * extent);
  writeSync(handle, f32(7), 0, 4, begin + 4 * (extent - 1));
  closeSync(handle);

  const before = process.memoryUsage();
  const checkpoint = openCheckpoint(path);
  const last = checkpoint.read("last");
  const tail = checkpoint.bytes("big", 4 * (extent - 2));
  const after = process.memoryUsage();
  checkpoint.close();
  expect([...last]).toEqual([5, 6]);
  expect([...tail]).toEqual([0, 0, 0, 0, 0, 0, 0xe0, 0x40]);
  expect(checkpoint.info("last")!.begin).toBe(begin + 4 * extent);
  // 3.2 GB would show; the runner's own noise is a few megabytes.
  expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(1e6);
  expect(after.rss - before.rss).toBeLessThan(100e6);
});

test("a file written tensor by tensor is read back from disk", () => {
  const path = join(directory, "written.safetensors");
  const sink = fileSink(path);
  const layout = writeSafetensors(sink, [{ name: "x", dtype: "F32", shape: [3], bytes: () => f32(1, 2, 3) }]);
  sink.close();
  const source = fileSource(path);
  expect(source.size).toBe(layout.size);
  source.close();
  const checkpoint = openCheckpoint(path);
  expect([...checkpoint.read("x")]).toEqual([1, 2, 3]);
  checkpoint.close();
});

test("a file that is not there, a directory without weights, a directory as a file", () => {
  const missing = diagnosticsOf(() => openCheckpoint(join(directory, "no.safetensors")));
  expect(missing).toHaveLength(1);
  expect(missing[0]).toMatchObject({ code: "weights/open", file: join(directory, "no.safetensors") });
  expect(missing[0]!.message).toContain("there is no such file");
  const empty = diagnosticsOf(() => openCheckpoint(directory));
  expect(empty).toHaveLength(1);
  expect(empty[0]!.message).toMatch(/neither model\.safetensors\.index\.json nor model\.safetensors/);
  expect(diagnosticsOf(() => fileSource(directory))[0]!.message).toContain("is a directory");
});

test("a file that shrinks while it is open", () => {
  const path = join(directory, "shrinks.safetensors");
  writeFileSync(path, file({ x: { dtype: "F32", shape: [2], data_offsets: [0, 8] } }, f32(1, 2)));
  const checkpoint = openCheckpoint(path);
  truncateSync(path, checkpoint.info("x")!.begin + 3);
  const diagnostics = diagnosticsOf(() => checkpoint.read("x"));
  checkpoint.close();
  expect(diagnostics).toHaveLength(1);
  expect(diagnostics[0]).toMatchObject({ code: "weights/read", file: path });
  expect(diagnostics[0]!.message).toMatch(/expected 8 bytes at byte \d+, the file ended after 3/);
});

test("the paths of a description: nothing, a file, several files", () => {
  const one = file({ x: { dtype: "F32", shape: [1], data_offsets: [0, 4] } }, f32(1));
  const two = file({ y: { dtype: "F32", shape: [1], data_offsets: [0, 4] } }, f32(2));
  writeFileSync(join(directory, "one.safetensors"), one);
  writeFileSync(join(directory, "two.safetensors"), two);
  writeFileSync(join(directory, "copy.safetensors"), one);
  expect(openWeights({}, directory)).toBeUndefined();
  const both = openWeights({ files: ["one.safetensors", "two.safetensors"] }, directory)!;
  expect(both.names()).toEqual(["x", "y"]);
  expect([...both.read("y")]).toEqual([2]);
  expect(both.info("y")!.file).toBe(join(directory, "two.safetensors"));
  both.close();
  const diagnostics = diagnosticsOf(() =>
    openWeights({ files: ["one.safetensors", "copy.safetensors"] }, directory),
  );
  expect(diagnostics).toHaveLength(1);
  expect(diagnostics[0]).toMatchObject({ code: "weights/duplicate", pointer: "/x" });
});
