// Decoding of every element type against bytes written by hand from the number formats' definitions.

import { expect, test } from "vitest";
import { memorySource } from "../../src/weights/byte-source.js";
import { encodeFloat32 } from "../../src/weights/dtypes.js";
import { openSafetensors, readHeader } from "../../src/weights/safetensors.js";
import { diagnosticsOf, file, open } from "./helpers.js";

function one(dtype: string, extent: number, ...bytes: readonly number[]): Uint8Array {
  return file({ x: { dtype, shape: [extent], data_offsets: [0, bytes.length] } }, Uint8Array.from(bytes));
}

const cases: readonly (readonly [dtype: string, bytes: readonly number[], values: readonly number[]])[] = [
  ["F64", [0, 0, 0, 0, 0, 0, 0xf8, 0x3f, 1, 0, 0, 0, 0, 0, 0, 0], [1.5, 5e-324]],
  ["F32", [0, 0, 0x80, 0x3f, 0, 0, 0x20, 0xc0, 1, 0, 0, 0], [1, -2.5, 2 ** -149]],
  ["F16", [0, 0x3c, 0, 0xc1, 0xff, 0x7b, 1, 0], [1, -2.5, 65504, 2 ** -24]],
  ["BF16", [0x80, 0x3f, 0x20, 0xc0, 0x01, 0x00], [1, -2.5, 2 ** -133]],
  [
    "I64",
    [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x1f, 0, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    [2 ** 53 - 1, -2],
  ],
  ["I32", [0, 0, 0, 0x80, 5, 0, 0, 0], [-(2 ** 31), 5]],
  ["I16", [0, 0x80, 0xff, 0x7f], [-32768, 32767]],
  ["I8", [0x80, 0x7f], [-128, 127]],
  ["U64", [0, 0, 0, 0, 1, 0, 0, 0], [2 ** 32]],
  ["U32", [0xff, 0xff, 0xff, 0xff], [2 ** 32 - 1]],
  ["U16", [0xff, 0xff], [65535]],
  ["U8", [0xff, 0], [255, 0]],
  ["BOOL", [1, 0, 1], [1, 0, 1]],
];

test.each(cases)("%s decodes to the exact values", (dtype, bytes, values) => {
  expect([...open(one(dtype, values.length, ...bytes)).read("x")]).toEqual(values);
});

test("a scalar and an empty tensor", () => {
  const header = {
    scalar: { dtype: "F32", shape: [], data_offsets: [0, 4] },
    empty: { dtype: "F32", shape: [0, 3], data_offsets: [4, 4] },
  };
  const checkpoint = open(file(header, Uint8Array.of(0, 0, 0x80, 0x3f)));
  expect([...checkpoint.read("scalar")]).toEqual([1]);
  expect([...checkpoint.read("empty")]).toEqual([]);
});

test.each([
  ["I64", [0, 0, 0, 0, 0, 0, 0x20, 0], "9007199254740992"],
  ["I64", [0, 0, 0, 0, 0, 0, 0, 0x80], "-9223372036854775808"],
  ["U64", [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], "18446744073709551615"],
])("an integer that float64 cannot hold: %s", (dtype, bytes, shown) => {
  const [diagnostic, ...others] = diagnosticsOf(() => open(one(dtype, 1, ...bytes)).read("x"));
  expect(others).toEqual([]);
  expect(diagnostic).toMatchObject({
    code: "safetensors/integer-range",
    file: "model.safetensors",
    pointer: "/x",
  });
  expect(diagnostic!.message).toContain(`element 0 is ${shown}`);
});

test("a flag that is neither 0 nor 1", () => {
  const [diagnostic] = diagnosticsOf(() => open(one("BOOL", 2, 1, 7)).read("x"));
  expect(diagnostic).toMatchObject({ code: "safetensors/bool", pointer: "/x" });
  expect(diagnostic!.message).toMatch(/element 1.*byte 7/);
});

test("a range of a tensor's bytes, and the header through an asynchronous source", async () => {
  const bytes = one("I16", 3, 1, 2, 3, 4, 5, 6);
  expect([...open(bytes).bytes("x", 2, 3)]).toEqual([3, 4, 5]);
  const header = await readHeader(memorySource(bytes));
  expect(header.tensors.get("x")).toMatchObject({ dtype: "I16", begin: bytes.length - 6, bytes: 6 });
});

test("float32 bytes round ties to even", () => {
  // 1 + 2^-24 lies midway between 1 and 1 + 2^-23; 1 + 3*2^-24 midway between odd and even mantissas.
  const bytes = encodeFloat32(Float64Array.of(1 + 2 ** -24, 1 + 3 * 2 ** -24));
  expect([...bytes]).toEqual([0, 0, 0x80, 0x3f, 2, 0, 0x80, 0x3f]);
});

test("a refused file is closed", () => {
  let closed = 0;
  const source = { ...memorySource(Uint8Array.of(1, 2, 3)), close: () => (closed += 1) };
  diagnosticsOf(() => openSafetensors(source));
  expect(closed).toBe(1);
});
