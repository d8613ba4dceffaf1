// Every way a file can be damaged gives exactly one diagnostic that says what is wrong and where.

import fc from "fast-check";
import { expect, test } from "vitest";
import { DlmcError } from "../../src/support/diagnostic.js";
import { diagnosticsOf, f32, file, join, open, text, u64 } from "./helpers.js";

const a = { dtype: "F32", shape: [2], data_offsets: [0, 8] };
const b = { dtype: "F32", shape: [1], data_offsets: [8, 12] };
const data = f32(1, 2, 3);
const good = file({ a, b }, data);

interface Damage {
  readonly what: string;
  readonly bytes: Uint8Array;
  readonly code: string;
  /** Both sides of the disagreement, as the message must say them. */
  readonly says: RegExp;
  readonly pointer?: string;
  readonly offset?: number;
}

const oneTensor = (entry: unknown, bytes = f32(1, 2)): Uint8Array => file({ a: entry }, bytes);

const damages: readonly Damage[] = [
  {
    what: "an empty file",
    bytes: new Uint8Array(0),
    code: "safetensors/truncated",
    says: /0 bytes.*takes 8/,
    offset: 0,
  },
  {
    what: "a file of 5 bytes",
    bytes: good.subarray(0, 5),
    code: "safetensors/truncated",
    says: /5 bytes/,
    offset: 0,
  },
  {
    what: "a file cut in the header",
    bytes: good.subarray(0, 40),
    code: "safetensors/truncated",
    says: /header is said to end at byte 1\d\d, but the file ends at byte 40/,
    offset: 0,
  },
  {
    what: "a header of 100000001 bytes",
    bytes: join(u64(100_000_001), text("{}")),
    code: "safetensors/header-length",
    says: /100000001; the format allows at most 100000000/,
    offset: 0,
  },
  {
    what: "a header length with the top bit set",
    bytes: join(u64(2n ** 63n), text("{}")),
    code: "safetensors/header-length",
    says: /9223372036854775808/,
    offset: 0,
  },
  {
    what: "a header of 0 bytes",
    bytes: join(u64(0), text("{}")),
    code: "safetensors/header-length",
    says: /is 0; the smallest header/,
    offset: 0,
  },
  {
    what: "a header that is not UTF-8",
    bytes: join(u64(6), text('{"'), Uint8Array.of(0xc3), text('":1')),
    code: "safetensors/utf8",
    says: /invalid byte at byte 10/,
    offset: 10,
  },
  {
    what: "a header that is not JSON",
    bytes: file('{"a": nope}'),
    code: "safetensors/json",
    says: /unexpected text at byte 14/,
    offset: 14,
  },
  {
    what: "a header with a comment",
    bytes: file("{/**/}"),
    code: "safetensors/json",
    says: /at byte 9/,
    offset: 9,
  },
  {
    what: "lists in lists without end",
    bytes: file(`{"a":${"[".repeat(100_000)}`),
    code: "safetensors/json",
    says: /values nested too deep at byte 28/,
  },
  {
    what: "a list as header",
    bytes: file("[]"),
    code: "safetensors/json",
    says: /must begin with `{` at byte 8, found "\["/,
    offset: 8,
  },
  {
    what: "a header after a space",
    bytes: file(" {}"),
    code: "safetensors/json",
    says: /found " "/,
    offset: 8,
  },
  {
    what: "two tensors of one name",
    bytes: file(`{"a":${JSON.stringify(a)},"a":${JSON.stringify(a)}}`, f32(1, 2)),
    code: "safetensors/duplicate",
    says: /names `a` twice/,
    offset: 62,
  },
  {
    what: "two dtypes in one entry",
    bytes: file('{"a":{"dtype":"U8","dtype":"F32","shape":[1],"data_offsets":[0,4]}}', f32(1)),
    code: "safetensors/duplicate",
    says: /names `dtype` twice/,
  },
  {
    what: "metadata that is a list",
    bytes: file({ __metadata__: [] }),
    code: "safetensors/metadata",
    says: /strings, but it is \[\]/,
    pointer: "/__metadata__",
  },
  {
    what: "a number in the metadata",
    bytes: file({ __metadata__: { epoch: 3 } }),
    code: "safetensors/metadata",
    says: /`epoch` is 3/,
    pointer: "/__metadata__/epoch",
  },
  {
    what: "an entry that is a number",
    bytes: oneTensor(7),
    code: "safetensors/entry",
    says: /tensor `a`: .*object, found 7/,
    pointer: "/a",
  },
  {
    what: "an entry without dtype",
    bytes: oneTensor({ shape: [2], data_offsets: [0, 8] }),
    code: "safetensors/entry",
    says: /no `dtype`/,
    pointer: "/a",
  },
  {
    what: "an entry with offsets of the first draft",
    bytes: oneTensor({ dtype: "F32", shape: [2], offsets: [0, 8] }),
    code: "safetensors/entry",
    says: /no `data_offsets`/,
    pointer: "/a",
  },
  {
    what: "an entry with another key",
    bytes: oneTensor({ ...a, stride: [1] }),
    code: "safetensors/entry",
    says: /unknown key `stride`/,
    pointer: "/a/stride",
  },
  {
    what: "an unknown dtype",
    bytes: oneTensor({ ...a, dtype: "float32" }),
    code: "safetensors/dtype",
    says: /unknown dtype "float32"; known are F64, F32/,
    pointer: "/a/dtype",
  },
  {
    what: "a dtype that is a number",
    bytes: oneTensor({ ...a, dtype: 4 }),
    code: "safetensors/dtype",
    says: /unknown dtype 4/,
    pointer: "/a/dtype",
  },
  {
    what: "an 8-bit float",
    bytes: oneTensor({ ...a, dtype: "F8_E4M3", shape: [8] }),
    code: "safetensors/dtype",
    says: /F8_E4M3, which dlmc does not read/,
    pointer: "/a/dtype",
  },
  {
    what: "a negative extent",
    bytes: oneTensor({ ...a, shape: [-2] }),
    code: "safetensors/shape",
    says: />= 0, found \[-2\]/,
    pointer: "/a/shape",
  },
  {
    what: "a fractional extent",
    bytes: oneTensor({ ...a, shape: [1.5] }),
    code: "safetensors/shape",
    says: /found \[1.5\]/,
    pointer: "/a/shape",
  },
  {
    what: "a shape that is a number",
    bytes: oneTensor({ ...a, shape: 2 }),
    code: "safetensors/shape",
    says: /found 2/,
    pointer: "/a/shape",
  },
  {
    what: "a shape with text",
    bytes: oneTensor({ ...a, shape: ["2"] }),
    code: "safetensors/shape",
    says: /found \["2"\]/,
    pointer: "/a/shape",
  },
  {
    what: "a shape whose size passes 2^64",
    bytes: oneTensor({ ...a, shape: [2 ** 40, 2 ** 40] }),
    code: "safetensors/size",
    says: /takes 4835703278458516698824704 bytes/,
    pointer: "/a/data_offsets",
  },
  {
    what: "one offset",
    bytes: oneTensor({ ...a, data_offsets: [8] }),
    code: "safetensors/offsets",
    says: /two integers >= 0, found \[8\]/,
    pointer: "/a/data_offsets",
  },
  {
    what: "a negative offset",
    bytes: oneTensor({ ...a, data_offsets: [-8, 0] }),
    code: "safetensors/offsets",
    says: /found \[-8,0\]/,
    pointer: "/a/data_offsets",
  },
  {
    what: "an end before the begin",
    bytes: oneTensor({ ...a, data_offsets: [8, 0] }),
    code: "safetensors/offsets",
    says: /ends at 0, before its begin at 8/,
    pointer: "/a/data_offsets",
  },
  {
    what: "fewer bytes than the shape takes",
    bytes: oneTensor({ ...a, shape: [3] }),
    code: "safetensors/size",
    says: /F32\[3\] takes 12 bytes, data_offsets \[0, 8\] hold 8/,
    pointer: "/a/data_offsets",
  },
  {
    what: "a file cut in the data",
    bytes: good.subarray(0, good.length - 3),
    code: "safetensors/outside",
    says: /`b` ends at byte 128, but the file ends at byte 125/,
    pointer: "/b",
  },
  {
    what: "a file cut before the data",
    bytes: good.subarray(0, good.length - 12),
    code: "safetensors/outside",
    says: /`a` ends at byte 124.*and 1 more/,
    pointer: "/a",
  },
  {
    what: "a hole before the first tensor",
    bytes: file({ b }, data),
    code: "safetensors/hole",
    says: /bytes 63 to 71 before tensor `b`/,
    pointer: "/b",
  },
  {
    what: "a hole between tensors",
    bytes: file({ a, b: { ...b, data_offsets: [12, 16] } }, join(data, f32(4))),
    code: "safetensors/hole",
    says: /before tensor `b` belong to no tensor/,
    pointer: "/b",
  },
  {
    what: "bytes after the last tensor",
    bytes: join(good, text("xyz")),
    code: "safetensors/hole",
    says: /file ends at byte 131: 3 bytes belong to no tensor/,
    offset: 128,
  },
  {
    what: "data without any tensor",
    bytes: file("{}", f32(1)),
    code: "safetensors/hole",
    says: /4 bytes belong to no tensor/,
    offset: 10,
  },
  {
    what: "two tensors that share bytes",
    bytes: file({ a, b: { ...b, data_offsets: [4, 8] } }, f32(1, 2)),
    code: "safetensors/overlap",
    says: /`b` begins at byte \d+, inside `a`/,
    pointer: "/b",
  },
  {
    what: "a tensor moved onto another, which leaves the end bare",
    bytes: file({ a, b: { ...b, data_offsets: [4, 8] } }, data),
    code: "safetensors/overlap",
    says: /`b` begins at byte \d+, inside `a`/,
    pointer: "/b",
  },
  {
    what: "two names for the same bytes",
    bytes: file({ a, c: a }, f32(1, 2)),
    code: "safetensors/overlap",
    says: /`c` begins at byte \d+, inside `a`/,
    pointer: "/c",
  },
  {
    what: "a Git LFS pointer",
    bytes: text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n"),
    code: "safetensors/not-safetensors",
    says: /a Git LFS pointer/,
    offset: 0,
  },
  {
    what: "a PyTorch checkpoint",
    bytes: text("PK\x03\x04\x00\x00\x08\x08archive/data.pkl"),
    code: "safetensors/not-safetensors",
    says: /zip archive \(a PyTorch/,
    offset: 0,
  },
  {
    what: "a pickle",
    bytes: Uint8Array.of(0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9),
    code: "safetensors/not-safetensors",
    says: /Python pickle/,
    offset: 0,
  },
  {
    what: "a shard index in place of a shard",
    bytes: text('{"weight_map": {}}'),
    code: "safetensors/not-safetensors",
    says: /JSON text/,
    offset: 0,
  },
];

test.each(damages)("$what: $code", ({ bytes, code, says, pointer, offset }) => {
  const diagnostics = diagnosticsOf(() => open(bytes));
  expect(diagnostics).toHaveLength(1);
  const [diagnostic] = diagnostics;
  expect(diagnostic).toMatchObject({ severity: "error", code, file: "model.safetensors" });
  expect(diagnostic!.message).toMatch(says);
  expect(diagnostic!.help).toMatch(/\w{3}/);
  if (pointer !== undefined) expect(diagnostic!.pointer).toBe(pointer);
  if (offset !== undefined) expect(diagnostic!.offset).toBe(offset);
  expect(diagnostic!.pointer !== undefined || diagnostic!.offset !== undefined).toBe(true);
});

test("whatever bytes are changed, cut or put in, the answer is a diagnostic or a consistent file", () => {
  const spot = fc.nat(good.length);
  const edits = fc.array(fc.tuple(spot, fc.nat(255)), { maxLength: 4 });
  fc.assert(
    fc.property(edits, spot, fc.uint8Array({ maxLength: 12 }), fc.boolean(), (changed, at, inserted, cut) => {
      const bytes = Uint8Array.from(good);
      for (const [i, value] of changed) bytes[i] = value;
      const edited = join(bytes.subarray(0, at), inserted, cut ? new Uint8Array(0) : bytes.subarray(at));
      try {
        const checkpoint = open(edited);
        for (const name of checkpoint.names())
          expect(checkpoint.bytes(name)).toHaveLength(checkpoint.info(name)!.bytes);
      } catch (error) {
        expect(error).toBeInstanceOf(DlmcError);
        for (const diagnostic of (error as DlmcError).diagnostics) expect(diagnostic.help).toBeDefined();
      }
    }),
    { numRuns: 2000 },
  );
});

test("the undamaged file is read", () => {
  const checkpoint = open(good);
  expect(checkpoint.names()).toEqual(["a", "b"]);
  expect([...checkpoint.read("a"), ...checkpoint.read("b")]).toEqual([1, 2, 3]);
  expect(checkpoint.info("b")).toMatchObject({ dtype: "F32", shape: [1], begin: 124, bytes: 4 });
});

test("two bad entries are two diagnostics, and no hole is reported for them", () => {
  const bytes = file({ a: { ...a, shape: [3] }, b: { ...b, dtype: "F9" } }, data);
  expect(diagnosticsOf(() => open(bytes)).map((d) => `${d.code} ${d.pointer}`)).toEqual([
    "safetensors/size /a/data_offsets",
    "safetensors/dtype /b/dtype",
  ]);
});

test("a pointer escapes the slash and the tilde of a name", () => {
  const [diagnostic] = diagnosticsOf(() => open(file({ "x/y~z": 1 })));
  expect(diagnostic!.pointer).toBe("/x~1y~0z");
});

test("magic bytes that are a true header length are not mistaken", () => {
  // 640 = 0x280: the file begins with the bytes of a pickle.
  const json = "{}".padEnd(640, " ");
  expect(open(file(json)).names()).toEqual([]);
});
