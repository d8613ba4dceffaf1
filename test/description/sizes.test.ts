// What follows from a description: widths, other sequence lengths.

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  atLength,
  type Description,
  type ModelDescription,
  outputWidth,
  readDescription,
  sequenceLength,
  timeWidth,
  trunkWidth,
} from "../../src/description/index.js";
import { Report } from "../../src/support/diagnostic.js";

function load(name: string): Description {
  const text = readFileSync(new URL(`models/${name}.json`, import.meta.url), "utf8");
  return readDescription(text, name, new Report())!;
}

function codesAt(name: string, length: number): string[] {
  const report = new Report();
  atLength(load(name), length, report);
  return report.diagnostics.map((d) => d.code);
}

describe("sizes", () => {
  it("of Diffusion-LM: embeddings of 8 in a trunk of 16", () => {
    const model = load("diffusion-lm") as ModelDescription;
    expect([trunkWidth(model.embedding), outputWidth(model), timeWidth(model.time_conditioning)]).toEqual([
      16, 8, 16,
    ]);
    expect(sequenceLength(model)).toBe(8);
  });

  it("of LangFlow: one width, conditions of 8", () => {
    const model = load("langflow") as ModelDescription;
    expect([trunkWidth(model.embedding), outputWidth(model), timeWidth(model.time_conditioning)]).toEqual([
      16, 16, 8,
    ]);
  });
});

describe("another sequence length", () => {
  it("may be as long as the position table", () => {
    expect(codesAt("diffusion-lm", 24)).toEqual([]);
    expect(codesAt("diffusion-lm", 25)).toEqual(["model/positions-short"]);
  });

  it("may be as long as the filters were built for", () => {
    expect(codesAt("hyena", 5)).toEqual([]);
    expect(codesAt("hyena", 17)).toEqual(["model/filter-short"]);
    expect(codesAt("m2-layer", 13)).toEqual(["model/filter-short"]);
  });

  it("is free for rotary positions", () => {
    expect(codesAt("langflow", 1000)).toEqual([]);
    expect(sequenceLength(atLength(load("langflow"), 1000, new Report()))).toBe(1000);
  });
});
