// How diagnostics look: place, caret, notes, help; long lines, tabs, several lines, colours.

import { describe, expect, it } from "vitest";
import type { Diagnostic } from "../../src/support/diagnostic.js";
import { formatDiagnostic, positionAt, sortByPlace, wantsColor } from "../../src/support/frame.js";

function show(text: string, diagnostic: Partial<Diagnostic>, color = false): string {
  const whole = { severity: "error", code: "a/b", message: "wrong", file: "m.json", ...diagnostic } as const;
  return formatDiagnostic(whole, { source: (file) => (file === "m.json" ? text : undefined), color });
}

describe("formatDiagnostic", () => {
  it("shows the value, the other side and the way out", () => {
    const text = '{\n  "width": 16,\n  "heads": 3\n}';
    const notes = [{ message: "the width", pointer: "/width" }, { message: "without a place" }];
    expect(show(text, { pointer: "/heads", notes, help: "use 4" })).toBe(
      `m.json:3:12: error[a/b]: wrong
  |
3 |   "heads": 3
  |            ^ /heads
m.json:2:12: note: the width
  |
2 |   "width": 16,
  |            ^^ /width
  = note: without a place
  = help: use 4`,
    );
  });

  it("shows the key where asked, and a left-out value at its nearest parent", () => {
    const text = '{ "a": { "b": 1 } }';
    expect(show(text, { pointer: "/a/b", atKey: true }).split("\n").at(-1)).toBe("  |          ^^^ /a/b");
    expect(show(text, { pointer: "/a/c" }).split("\n").at(-1)).toBe("  |        ^^^^^^^^^^ /a/c");
  });

  it("marks only the beginning of a value over several lines", () => {
    expect(show('{ "a": {\n  "b": 1\n} }', { pointer: "/a" }).split("\n").at(-1)).toBe("  |        ^ /a");
  });

  it("keeps tabs, so that the caret stands below its value", () => {
    expect(show('{\t"a":\t12 }', { pointer: "/a" }).split("\n").at(-1)).toBe("  |  \t    \t^^ /a");
  });

  it("cuts long lines around the value", () => {
    const text = `[${"1, ".repeat(100)}222, ${"3, ".repeat(100)}4]`;
    const lines = show(text, { pointer: "/100" }).split("\n");
    expect(lines[0]).toBe("m.json:1:302: error[a/b]: wrong");
    const column = lines[3]!.indexOf("^");
    expect(lines[2]!.slice(column, column + 3)).toBe("222");
    expect(lines[2]!.length).toBeLessThan(120);
  });

  it("shows offsets of texts that are not JSON, also the end", () => {
    expect(show("graph foo {", { offset: 6 }).split("\n").slice(-2)).toEqual([
      "1 | graph foo {",
      "  |       ^^^",
    ]);
    expect(show("ab\n", { offset: 3 }).split("\n")[0]).toBe("m.json:2:1: error[a/b]: wrong");
    expect(show("", { offset: 0 }).split("\n")[0]).toBe("m.json:1:1: error[a/b]: wrong");
  });

  it("does without the text, the place or the file", () => {
    expect(show("", { file: "other.json", pointer: "/a" })).toBe("other.json: error[a/b]: wrong (/a)");
    expect(show("{}", {})).toBe("m.json: error[a/b]: wrong");
    expect(formatDiagnostic({ severity: "warning", code: "x", message: "hm" })).toBe("warning[x]: hm");
  });

  it("colours only where asked", () => {
    const plain = show("[1]", { pointer: "/0" });
    const coloured = show("[1]", { pointer: "/0" }, true);
    expect(coloured).toContain("\u001b[31m");
    // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences are the point
    expect(coloured.replace(/\u001b\[\d+m/g, "")).toBe(plain);
  });
});

it("positions count lines and columns from 1", () => {
  expect(positionAt("ab\ncd", 0)).toEqual({ line: 1, column: 1 });
  expect(positionAt("ab\ncd", 2)).toEqual({ line: 1, column: 3 });
  expect(positionAt("ab\ncd", 4)).toEqual({ line: 2, column: 2 });
});

it("diagnostics are sorted by place, those without one first", () => {
  const at = (pointer?: string): Diagnostic =>
    pointer === undefined
      ? { severity: "error", code: "none", message: "" }
      : { severity: "error", code: pointer, message: "", pointer };
  const sorted = sortByPlace([at("/b"), at("/a"), at()], '{ "a": 1, "b": 2 }');
  expect(sorted.map((d) => d.code)).toEqual(["none", "/a", "/b"]);
});

it("colour follows NO_COLOR, FORCE_COLOR and the terminal", () => {
  expect(wantsColor({}, true)).toBe(true);
  expect(wantsColor({}, false)).toBe(false);
  expect(wantsColor({ NO_COLOR: "1", FORCE_COLOR: "1" }, true)).toBe(false);
  expect(wantsColor({ FORCE_COLOR: "1" }, false)).toBe(true);
  expect(wantsColor({ TERM: "dumb" }, true)).toBe(false);
});
