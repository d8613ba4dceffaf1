// Files we write, taken apart by the format's definition; and read back.

import fc from "fast-check";
import { expect, test } from "vitest";
import { type Dtype, dtypeBytes, dtypes } from "../../src/weights/dtypes.js";
import {
  encodeSafetensors,
  planSafetensors,
  type TensorToWrite,
  writeSafetensors,
} from "../../src/weights/writer.js";
import { f32, open } from "./helpers.js";

const lists = fc.uniqueArray(
  fc
    .record({
      name: fc.string({ unit: "binary", maxLength: 8 }).filter((name) => name !== "__metadata__"),
      dtype: fc.constantFrom(...dtypes),
      shape: fc.array(fc.nat(5), { maxLength: 4 }),
      fill: fc.nat(255),
    })
    .map(({ name, dtype, shape, fill }): TensorToWrite => {
      const length = shape.reduce((n, extent) => n * extent, dtypeBytes(dtype));
      // Any bytes do: they are read back as bytes.
      const data = Uint8Array.from({ length }, (_, i) => (fill + 37 * i) & 255);
      return { name, dtype, shape, bytes: () => data };
    }),
  { selector: (tensor) => tensor.name, maxLength: 12 },
);

interface Entry {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [number, number];
}

test("a written file is what the format's definition says, and aligned", () => {
  fc.assert(
    fc.property(lists, (tensors) => {
      const bytes = encodeSafetensors(tensors, { format: "pt" });
      const view = new DataView(bytes.buffer);
      const length = Number(view.getBigUint64(0, true));
      const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length))) as Record<
        string,
        Entry
      >;
      expect((8 + length) % 64).toBe(0);
      expect(header.__metadata__).toEqual({ format: "pt" });
      expect(Object.keys(header)).toHaveLength(tensors.length + 1);
      const covered = new Uint8Array(bytes.length - 8 - length);
      for (const tensor of tensors) {
        const entry = header[tensor.name]!;
        const [begin, end] = entry.data_offsets;
        expect(entry.dtype).toBe(tensor.dtype);
        expect(entry.shape).toEqual(tensor.shape);
        expect(bytes.subarray(8 + length + begin, 8 + length + end)).toEqual(tensor.bytes());
        for (let i = begin; i < end; i++) covered[i]! += 1;
        // As aligned as the tensor's own length, up to a cache line; always to its element size.
        expect(begin % dtypeBytes(tensor.dtype)).toBe(0);
        if ((end - begin) % 64 === 0) expect(begin % 64).toBe(0);
      }
      expect(covered.every((times) => times === 1)).toBe(true);
    }),
  );
});

test("the reader gives back names, types, shapes and bytes", () => {
  fc.assert(
    fc.property(lists, (tensors) => {
      const checkpoint = open(encodeSafetensors(tensors));
      expect([...checkpoint.names()].sort()).toEqual(tensors.map((t) => t.name).sort());
      for (const { name, dtype, shape, bytes } of tensors) {
        expect(checkpoint.info(name)).toMatchObject({ name, dtype, shape });
        expect(checkpoint.bytes(name)).toEqual(bytes());
      }
    }),
  );
});

test("equal input in another order gives equal bytes", () => {
  fc.assert(
    fc.property(lists, (tensors) => {
      const metadata = { b: "2", a: "1" };
      const again = [...tensors].reverse();
      expect(encodeSafetensors(again, { a: "1", b: "2" })).toEqual(encodeSafetensors(tensors, metadata));
    }),
  );
});

test("a small file, byte by byte", () => {
  const bytes = encodeSafetensors([
    { name: "b", dtype: "F32", shape: [1], bytes: () => f32(1) },
    { name: "a", dtype: "F32", shape: [2], bytes: () => f32(2, 3) },
  ]);
  const json =
    '{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}}';
  const text = new TextDecoder("latin1").decode(bytes);
  expect(text.slice(0, 8)).toBe("\x78\0\0\0\0\0\0\0");
  expect(text.slice(8, 128)).toBe(json.padEnd(120, " "));
  expect(bytes.subarray(128)).toEqual(Uint8Array.of(0, 0, 0, 0x40, 0, 0, 0x40, 0x40, 0, 0, 0x80, 0x3f));
});

test("tensors are asked for one at a time, in the order of the file", () => {
  const events: string[] = [];
  const lazy = (name: string, extent: number): TensorToWrite => ({
    name,
    dtype: "U8",
    shape: [extent],
    bytes: () => {
      events.push(`make ${name}`);
      return new Uint8Array(extent);
    },
  });
  const tensors = [lazy("odd", 3), lazy("y", 64), lazy("x", 128)];
  const layout = writeSafetensors({ write: (bytes) => events.push(`write ${bytes.length}`) }, tensors);
  expect(events.slice(1)).toEqual(["make x", "write 128", "make y", "write 64", "make odd", "write 3"]);
  expect(layout).toEqual(planSafetensors(tensors));
  expect(layout.tensors.map((t) => t.offset - layout.head.length)).toEqual([0, 128, 192]);
  expect(layout.size).toBe(layout.head.length + 195);
});

test("names that JavaScript treats specially stay names", () => {
  const names = ["__proto__", "constructor", "0", "10", "2"];
  const tensors = names.map(
    (name): TensorToWrite => ({ name, dtype: "U8", shape: [1], bytes: () => Uint8Array.of(7) }),
  );
  const checkpoint = open(encodeSafetensors(tensors));
  expect([...checkpoint.names()].sort()).toEqual([...names].sort());
  expect(checkpoint.info("toString")).toBeUndefined();
  expect(checkpoint.info("__proto__")).toMatchObject({ dtype: "U8", bytes: 1 });
});

test("a tensor of another length than its shape, and a name twice, are bugs of the caller", () => {
  const tensor = (length: number): TensorToWrite => ({
    name: "a",
    dtype: "F32",
    shape: [2],
    bytes: () => new Uint8Array(length),
  });
  expect(() => encodeSafetensors([tensor(4)])).toThrow(/planned with 8 bytes, got 4/);
  expect(() => encodeSafetensors([tensor(8), tensor(8)])).toThrow(/name a is taken/);
});
