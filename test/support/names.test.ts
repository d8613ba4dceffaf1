// Suggestions, JSON pointers and hashes.

import { describe, expect, it } from "vitest";
import { sha256 } from "../../src/support/hash.js";
import { joinPointer, parentPointer, splitPointer, valueAt } from "../../src/support/pointer.js";
import { editDistance, suggest, suggestion } from "../../src/support/suggest.js";

describe("suggest", () => {
  const names = ["normalization", "positions", "norm", "rounding_head", "dim"];
  it("finds the near name", () => {
    expect(suggest("normalisation", names)).toBe("normalization");
    expect(suggest("roundingHead", names)).toBe("rounding_head");
    expect(suggest("rounding", names)).toBe("rounding_head");
    expect(suggest("dims", names)).toBe("dim");
    expect(suggest("postiions", names)).toBe("positions");
    expect(suggest("gelu", ["relu", "gelu_erf", "gelu_tanh"])).toBe("gelu_erf");
  });
  it("finds nothing where nothing is near", () => {
    expect(suggest("vocabulary", names)).toBeUndefined();
    expect(suggestion("vocabulary", ["a", "b"])).toBe('known: "a", "b"');
    expect(suggest("x".repeat(10_000), names)).toBeUndefined();
  });
  it("counts edits and swaps", () => {
    expect(editDistance("", "abc")).toBe(3);
    expect(editDistance("abc", "abc")).toBe(0);
    expect(editDistance("abcd", "acbd")).toBe(1);
    expect(editDistance("kitten", "sitting")).toBe(3);
  });
});

describe("pointers", () => {
  it("escape as RFC 6901 says", () => {
    expect(joinPointer("/a", "b/c~d")).toBe("/a/b~1c~0d");
    expect(splitPointer("/a/b~1c~0d/0")).toEqual(["a", "b/c~d", "0"]);
    expect(splitPointer("/~01")).toEqual(["~1"]);
    expect(splitPointer("")).toEqual([]);
    expect(parentPointer("/a/b")).toBe("/a");
    expect(parentPointer("/a")).toBe("");
  });
  it("lead to values", () => {
    const document = { a: [1, { b: null }] };
    expect(valueAt(document, "")).toBe(document);
    expect(valueAt(document, "/a/1/b")).toBeNull();
    expect(valueAt(document, "/a/length/x")).toBeUndefined();
    expect(valueAt(document, "/toString")).toBeUndefined();
  });
});

it("sha256 of the published test vectors (FIPS 180-4 examples)", () => {
  expect(sha256("abc")).toBe("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  expect(sha256(new Uint8Array())).toBe("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
});
