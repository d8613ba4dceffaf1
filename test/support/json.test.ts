// Strict JSON: what is refused, where, and where every value and key is.

import { describe, expect, it } from "vitest";
import { Report } from "../../src/support/diagnostic.js";
import { type JsonDocument, jsonSpans, parseJson } from "../../src/support/json.js";

function parse(text: string): {
  document: JsonDocument | undefined;
  codes: string[];
  offsets: (number | undefined)[];
} {
  const report = new Report();
  const document = parseJson(text, report);
  return {
    document,
    codes: report.diagnostics.map((d) => d.code),
    offsets: report.diagnostics.map((d) => d.offset),
  };
}

describe("parseJson", () => {
  it("reads what JSON.parse reads", () => {
    for (const text of ['{"a":[1,-2.5e3,"\\u00e9\\n",true,false,null],"":{}}', "3", '"x"', " [ ] ", "null"])
      expect(parse(text).document?.value).toEqual(JSON.parse(text));
  });

  it("refuses comments, trailing commas and single quotes at their place", () => {
    expect(parse("[1, // x\n 2]")).toMatchObject({ codes: ["json/syntax"], offsets: [4] });
    expect(parse("[1, 2,]")).toMatchObject({ codes: ["json/syntax"], offsets: [5] });
    expect(parse('{"a": 1,}')).toMatchObject({ codes: ["json/syntax"], offsets: [7] });
    expect(parse("{'a': 1}")).toMatchObject({ codes: ["json/syntax"], offsets: [1] });
  });

  it("refuses what JSON.parse refuses", () => {
    for (const text of [
      "",
      " ",
      "[1 2]",
      '{"a" 1}',
      "01",
      "+1",
      ".5",
      "1.",
      "NaN",
      "Infinity",
      '"\\x"',
      '"\t"',
      '{"a":1} x',
      "[",
      '"a',
      "tru",
    ]) {
      expect(() => JSON.parse(text) as unknown).toThrow();
      expect([text, parse(text).codes]).toEqual([text, ["json/syntax"]]);
    }
  });

  it("refuses a repeated key, each time it comes again", () => {
    expect(parse('{"a":1,"b":{"a":2},"a":3,"a":4}')).toMatchObject({
      codes: ["json/duplicate-key", "json/duplicate-key"],
      offsets: [19, 25],
    });
  });

  it("refuses numbers that float64 cannot hold", () => {
    expect(parse("[1e308, 1e309]")).toMatchObject({ codes: ["json/number"], offsets: [8] });
  });

  it("refuses nesting without end, but not brackets in texts", () => {
    expect(parse("[".repeat(201)).codes).toEqual(["json/too-deep"]);
    expect(parse(`"${"[".repeat(500)}\\"${"[".repeat(500)}"`).codes).toEqual([]);
    expect(parse("[".repeat(200) + "]".repeat(200)).codes).toEqual([]);
  });

  it("keeps __proto__ as a key like any other", () => {
    const value = parse('{"__proto__": {"a": 1}}').document?.value as object;
    expect(Object.keys(value)).toEqual(["__proto__"]);
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
  });

  it("ignores a byte order mark and keeps the offsets", () => {
    const { document } = parse('\uFEFF{"a": 1}');
    expect(document?.value).toEqual({ a: 1 });
    expect(document?.spans.values.get("/a")).toEqual({ start: 7, end: 8 });
  });
});

describe("spans", () => {
  it("of every value and key", () => {
    const text = '{ "a/b": [10, {"~": true}] }';
    const { spans } = parse(text).document!;
    const cut = (map: ReadonlyMap<string, { start: number; end: number }>) =>
      Object.fromEntries([...map].map(([pointer, { start, end }]) => [pointer, text.slice(start, end)]));
    expect(cut(spans.values)).toEqual({
      "": text,
      "/a~1b": '[10, {"~": true}]',
      "/a~1b/0": "10",
      "/a~1b/1": '{"~": true}',
      "/a~1b/1/~0": "true",
    });
    expect(cut(spans.keys)).toEqual({ "/a~1b": '"a/b"', "/a~1b/1/~0": '"~"' });
  });

  it("of what can be made out in a damaged text", () => {
    expect(jsonSpans('{"a": 1, "b": ').values.get("/a")).toEqual({ start: 6, end: 7 });
    expect(jsonSpans("[".repeat(1000)).values.size).toBe(0);
  });
});
