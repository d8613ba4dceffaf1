// An encoder's output from a file, written byte by byte here: safetensors is a length, a JSON header and the data.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { readEncoder } from "../../src/api/encoder.js";

const directory = mkdtempSync(join(tmpdir(), "dlmc-encoder-"));
afterAll(() => rmSync(directory, { recursive: true }));

const numbers = Float32Array.of(0.5, -1, 2, 3, 0.25, 8);
const flags = Uint8Array.of(1, 0, 1);

function write(name: string, tensors: readonly string[]): string {
  let end = 0;
  const parts = tensors.map((tensor) => (tensor.endsWith("_mask") ? flags : new Uint8Array(numbers.buffer)));
  const header = Object.fromEntries(
    tensors.map((tensor, i) => {
      const begin = end;
      end += parts[i]!.length;
      const mask = tensor.endsWith("_mask");
      return [
        tensor,
        { dtype: mask ? "BOOL" : "F32", shape: mask ? [3] : [3, 2], data_offsets: [begin, end] },
      ];
    }),
  );
  const text = Buffer.from(JSON.stringify(header));
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(text.length));
  const file = join(directory, name);
  writeFileSync(file, Buffer.concat([size, text, ...parts]));
  return file;
}

test("the only tensor, the one named encoder, or the one that is asked for; a mask beside it", () => {
  const alone = { values: Float64Array.from(numbers), shape: [3, 2] };
  const masked = { ...alone, mask: flags };
  expect(readEncoder(write("one.safetensors", ["memory"]))).toEqual(alone);
  const several = write("several.safetensors", ["other", "encoder", "encoder_mask"]);
  expect(readEncoder(several)).toEqual(masked);
  expect(readEncoder(`${several}:other`)).toEqual(alone);
});

test("says which tensors there are", () => {
  const file = write("two.safetensors", ["a", "b"]);
  const problem = (place: string): unknown => {
    try {
      return readEncoder(place);
    } catch (error) {
      return (error as { diagnostics: readonly { code: string; help: string }[] }).diagnostics[0];
    }
  };
  for (const place of [file, `${file}:c`])
    expect(problem(place)).toMatchObject({
      code: "generate/encoder-file",
      help: "tensors are a, b; name one as FILE:TENSOR",
    });
});
