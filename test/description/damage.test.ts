// Descriptions damaged at random: reading never throws, and either still gives a description or says at
// least once, at a place inside the file, what is wrong.

import { readdirSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readDescription } from "../../src/description/read.js";
import { isObject } from "../../src/description/schema.js";
import { Report } from "../../src/support/diagnostic.js";
import { formatDiagnostics, positionAt, spanOf } from "../../src/support/frame.js";

const folder = new URL("models/", import.meta.url);
const sources = readdirSync(folder).map((file) => readFileSync(new URL(file, folder), "utf8"));

function check(text: string): void {
  const report = new Report();
  const description = readDescription(text, "model.json", report);
  if (description === undefined) expect(report.hasErrors).toBe(true);
  else expect(report.hasErrors).toBe(false);
  const lines = text.split("\n").length;
  let before = -1;
  for (const diagnostic of report.diagnostics) {
    const span = spanOf(diagnostic, text);
    expect(span).toBeDefined();
    expect(span!.start).toBeGreaterThanOrEqual(before);
    expect(span!.start).toBeLessThanOrEqual(text.length);
    before = span!.start;
    const { line, column } = positionAt(text, span!.start);
    expect(line).toBeLessThanOrEqual(lines);
    expect(column).toBeGreaterThanOrEqual(1);
  }
  formatDiagnostics(report.diagnostics, { source: () => text, color: true });
}

/** All places of a JSON value as key paths. */
function paths(value: unknown, path: readonly string[] = []): (readonly string[])[] {
  if (!isObject(value) && !Array.isArray(value)) return [path];
  return [path, ...Object.entries(value).flatMap(([key, member]) => paths(member, [...path, key]))];
}

type Edit = (parent: Record<string, unknown>, key: string) => void;

const strangeValue = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    true,
    "",
    "none",
    "text",
    [],
    {},
    [null],
    { kind: "none" },
    { kind: {} },
    -1,
    0,
    1,
    3,
    0.5,
    1e300,
  ),
  fc.jsonValue({ maxDepth: 2 }),
);

const edit: fc.Arbitrary<Edit> = fc.oneof(
  fc.constant<Edit>((parent, key) => {
    if (Array.isArray(parent)) parent.splice(Number(key), 1);
    else delete parent[key];
  }),
  strangeValue.map<Edit>((value) => (parent, key) => {
    // A copy: later edits change what stands here, and one value put into itself would be a cycle.
    parent[key] = structuredClone(value);
  }),
  fc.string({ minLength: 1, maxLength: 3 }).map<Edit>((tail) => (parent, key) => {
    if (Array.isArray(parent)) return;
    Object.defineProperty(parent, key + tail, {
      value: parent[key],
      enumerable: true,
      configurable: true,
      writable: true,
    });
    delete parent[key];
  }),
);

describe("damaged descriptions", () => {
  it("with keys removed, misspelt and values replaced", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...sources),
        fc.array(fc.tuple(fc.nat(), edit), { minLength: 1, maxLength: 3 }),
        (source, edits) => {
          const document = JSON.parse(source) as Record<string, unknown>;
          for (const [choice, apply] of edits) {
            const places = paths(document).filter((path) => path.length > 0);
            const path = places[choice % Math.max(1, places.length)];
            if (path === undefined) continue;
            const parent = path
              .slice(0, -1)
              .reduce<unknown>((at, key) => (at as Record<string, unknown>)[key], document);
            apply(parent as Record<string, unknown>, path.at(-1)!);
          }
          check(JSON.stringify(document, undefined, 2));
        },
      ),
      { numRuns: 500 },
    );
  }, 60_000);

  it("with characters removed and inserted", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...sources),
        fc.nat(),
        fc.nat({ max: 5 }),
        fc.oneof(
          fc.constantFrom("", ",", "{", "}", "[", '"', "\\", "//", "\u0000", "1e999", "__proto__"),
          fc.string(),
        ),
        (source, at, removed, inserted) => {
          const start = at % source.length;
          check(source.slice(0, start) + inserted + source.slice(start + removed));
        },
      ),
      { numRuns: 300 },
    );
  }, 60_000);

  it("of any text at all", () => {
    fc.assert(fc.property(fc.string(), check), { numRuns: 200 });
  });

  it("nested without end", () => check(`${"[".repeat(100_000)}`));

  it("with keys that objects have of their own", () => {
    for (const key of ["__proto__", "constructor", "toString", "hasOwnProperty"])
      check(
        `{ "version": 1, "part": "mixer", "width": 4, "seq_len": 4, "mixer": { "kind": "short_conv", "${key}": {} } }`,
      );
    check('{ "version": 1, "part": "constructor" }');
    check('{ "version": 1, "part": "mixer", "width": 4, "seq_len": 4, "mixer": { "kind": "__proto__" } }');
  });
});
