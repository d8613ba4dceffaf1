// The files of a bundle: their schema, their hashes, equal bytes for equal input, and a memory plan that no dispatch
// can break.

import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { Ajv2020 } from "ajv/dist/2020.js";
import { afterAll, describe, expect, test } from "vitest";
import { compile } from "../../src/api/compile.js";
import type { Place, WgslManifest } from "../../src/emit-wgsl/bundle/manifest.js";
import { pageFiles } from "../../src/emit-wgsl/page/files.js";
import { bundle, descriptionOf, root } from "./bundle-process.js";

const removed: (() => void)[] = [];
afterAll(() => {
  for (const remove of removed) remove();
});
const built = (options: Parameters<typeof bundle>[0]): string => {
  const { directory, remove } = bundle(options);
  removed.push(remove);
  return directory;
};
const tiny = built({ model: descriptionOf("langflow"), synthetic: 1 });
const manifestOf = (directory: string): WgslManifest =>
  JSON.parse(readFileSync(join(directory, "manifest.json"), "utf8"));
const files = (directory: string): string[] =>
  readdirSync(directory, { recursive: true, encoding: "utf8" })
    .filter((name) => /\.\w+$/.test(name))
    .sort();
const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

describe("files", () => {
  test("the manifest fits its schema", () => {
    const schema = JSON.parse(readFileSync(join(root, "schema/wgsl-manifest.schema.json"), "utf8"));
    const validate = new Ajv2020({ allErrors: true, strict: false }).compile(schema);
    validate(manifestOf(tiny));
    expect(validate.errors).toBeNull();
  });

  test("equal input gives equal bytes", () => {
    const again = built({ model: descriptionOf("langflow"), synthetic: 1 });
    expect(files(again)).toEqual(files(tiny));
    for (const file of files(tiny))
      expect(sha256(readFileSync(join(again, file))), file).toBe(sha256(readFileSync(join(tiny, file))));
  });

  test("hashes and offsets are those of the files", () => {
    const { kernels, weights } = manifestOf(tiny);
    for (const kernel of kernels) expect(sha256(readFileSync(join(tiny, kernel.file)))).toBe(kernel.sha256);
    const bytes = readFileSync(join(tiny, weights.file));
    expect([bytes.length, sha256(bytes)]).toEqual([weights.bytes, weights.sha256]);
    for (const tensor of weights.tensors)
      expect(sha256(bytes.subarray(tensor.offset, tensor.offset + tensor.bytes)), tensor.name).toBe(
        tensor.sha256,
      );
    expect(new Set(kernels.map((kernel) => kernel.sha256)).size).toBe(kernels.length);
  });

  test("weights are the ONNX artefact's, byte for byte", () => {
    const onnx = `${tiny}-onnx`;
    compile({ target: "onnx", model: descriptionOf("langflow"), synthetic: 1, outDir: onnx });
    const header = (directory: string) => {
      const file = readFileSync(join(directory, "weights.safetensors"));
      const size = Number(file.readBigUInt64LE(0));
      const entries = JSON.parse(file.subarray(8, 8 + size).toString()) as Record<
        string,
        { data_offsets: [number, number]; shape: number[] }
      >;
      return {
        entries,
        bytes: (name: string) => file.subarray(8 + size).subarray(...entries[name]!.data_offsets),
      };
    };
    const [ours, theirs] = [header(tiny), header(onnx)];
    const shared = Object.keys(ours.entries).filter(
      (name) =>
        name !== "__metadata__" && ours.entries[name]!.shape.join() === theirs.entries[name]?.shape.join(),
    );
    expect(shared.length).toBeGreaterThan(10);
    for (const name of shared) expect(ours.bytes(name).equals(theirs.bytes(name)), name).toBe(true);
  });

  test.each([
    ["a continuous state", "continuous"],
    ["a simplex", "simplex"],
    ["a discrete state", "tokens"],
    ["a discrete state by scores", "scores"],
    ["a discrete state, revised", "revised"],
    ["first-hitting", "first-hitting"],
    ["confidence decoding", "confidence"],
    ["tokens, settled blocks kept", "tokens-cached"],
    ["tokens by scores, settled blocks kept", "scores-cached"],
    ["tokens revised, settled blocks kept", "revised-cached"],
    ["first-hitting, settled blocks kept", "first-hitting-cached"],
    ["confidence decoding, settled blocks kept", "confidence-cached"],
    ["embeddings that attend to an encoder", "encoder"],
    ["tokens that attend to an encoder", "tokens-encoder"],
    ["tokens by scores that attend to an encoder", "scores-encoder"],
    ["tokens revised that attend to an encoder", "revised-encoder"],
    ["first-hitting that attends to an encoder", "first-hitting-encoder"],
    ["confidence decoding that attends to an encoder", "confidence-encoder"],
    ["a simplex that attends to an encoder", "simplex-encoder"],
  ] as const)("index.js of %s is one file below 15 kB gzipped that imports plan.js alone, when asked", (_, state) => {
    const files = new Map(pageFiles(state));
    const text = files.get("index.js")!;
    if (state === "continuous") expect(text).toBe(readFileSync(join(tiny, "index.js"), "utf8"));
    expect(gzipSync(text, { level: 9 }).length).toBeLessThan(15_000);
    for (const code of [text, files.get("plan.js")!])
      expect(code).not.toMatch(/(?:^|[;}])(?:import|export)\b[^;(]*?\bfrom\s*["'`]|\bimport\s*["']/m);
    const loads = [...text.matchAll(/\bimport\(([^)]*)\)/g)].map(([, what]) =>
      what!.replaceAll(/["'`]/g, ""),
    );
    expect(loads).toEqual(["new URL(plan.js,import.meta.url"]);
  });
});

/** Dispatches of a graph with the byte ranges that they read and write. */
const arenaOf = (place: Place) => ("arena" in place ? place : undefined);

describe("memory", () => {
  test("no dispatch reads the arena it writes, or what another value has taken since", () => {
    const { graphs, kernels, arenas } = manifestOf(tiny);
    expect(graphs.map(({ name }) => name)).toEqual(expect.arrayContaining(["embed", "step", "denoise"]));
    for (const { dispatches, outputs, name } of graphs) {
      /** Who wrote each 256 bytes last, by arena. */
      const owner = arenas.map((bytes) => new Array<string>(Math.ceil(bytes / 256)).fill(""));
      const cells = ({ arena, offset, bytes }: { arena: number; offset: number; bytes: number }) => ({
        arena,
        from: offset / 256,
        to: Math.ceil((offset + bytes) / 256),
      });
      const written = new Map<string, string>();
      dispatches.forEach(({ kernel, bindings }, at) => {
        const access = kernels[kernel]!.bindings;
        expect(access.length).toBe(bindings.length);
        const used = bindings.flatMap((place, k) => {
          const range = arenaOf(place);
          return range === undefined ? [] : [{ ...range, writes: access[k] === "read_write" }];
        });
        const writes = new Set(used.filter((u) => u.writes).map((u) => u.arena));
        for (const range of used) {
          expect(range.offset + range.bytes).toBeLessThanOrEqual(arenas[range.arena]!);
          const { arena, from, to } = cells(range);
          if (!range.writes) {
            expect(writes.has(arena), `@${name} dispatch ${at}`).toBe(false);
            // One value wrote all of it, and it was written before.
            const writers = new Set(owner[arena]!.slice(from, to));
            expect(
              writers.size === 1 && !writers.has(""),
              `@${name} dispatch ${at} reads ${[...writers]}`,
            ).toBe(true);
          } else {
            const id = `${at}:${arena}:${from}`;
            owner[arena]!.fill(id, from, to);
            written.set(id, name);
          }
        }
      });
      for (const output of outputs) {
        const range = arenaOf(output.place);
        if (range === undefined) continue;
        const { arena, from, to } = cells(range);
        expect(new Set(owner[arena]!.slice(from, to)).size, `output ${output.name}`).toBe(1);
      }
    }
  });
});
