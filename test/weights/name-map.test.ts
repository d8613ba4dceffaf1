// Names of a description's weight map: patterns, precedence, and every way to write it wrong.

import { expect, test } from "vitest";
import { Report } from "../../src/support/diagnostic.js";
import { ignorePattern, nameMap, type WeightMap } from "../../src/weights/name-map.js";
import { nearestNames, numberPattern } from "../../src/weights/nearest.js";

const canonical = [
  "embedding.table",
  "blocks.0.norm1.weight",
  "blocks.11.norm1.weight",
  "blocks.0.mixer.filters.1.mlp.2.weight",
];

function recipes(map: WeightMap["map"], names = canonical) {
  const report = new Report("model.json");
  const result = nameMap(map === undefined ? {} : { map }, names, report);
  return { from: names.map((name) => result.recipe(name).from), report, result };
}

test("names not in the map are the same on both sides", () => {
  expect(recipes({}).from).toEqual(canonical.map((name) => [name]));
});

test("placeholders are numbers and come back on the right, twice if need be", () => {
  const { from, report } = recipes({
    "blocks.{i}.norm1.weight": "model.layers.{i}.ln_{i}.weight",
    "blocks.{i}.mixer.filters.{o}.mlp.{k}.weight": { from: ["f.{o}.{k}.{i}", "g.{i}"] },
  });
  expect(from).toEqual([
    ["embedding.table"],
    ["model.layers.0.ln_0.weight"],
    ["model.layers.11.ln_11.weight"],
    ["f.1.2.0", "g.0"],
  ]);
  expect(report.diagnostics).toEqual([]);
});

test("an exact name wins over a pattern, fewer placeholders over more", () => {
  const { from, report } = recipes({
    "blocks.{i}.mixer.filters.{o}.mlp.{k}.weight": "three",
    "blocks.{i}.mixer.filters.1.mlp.{k}.weight": "two",
    "blocks.{i}.norm1.weight": "pattern",
    "blocks.11.norm1.weight": "exact",
  });
  expect(from.flat()).toEqual(["embedding.table", "pattern", "exact", "two"]);
  expect(report.diagnostics).toEqual([]);
});

test("a dot is a dot, and a placeholder is no word", () => {
  const { from } = recipes({ "a.b{i}": "x{i}" }, ["a.b1", "axb1", "a.bc"]);
  expect(from.flat()).toEqual(["x1", "axb1", "a.bc"]);
});

test("the pointer of an entry and its transforms", () => {
  const transforms = [{ kind: "transpose" }] as const;
  const { result } = recipes({ "embedding.table": { from: "e/t", transforms } });
  expect(result.recipe("embedding.table")).toEqual({
    from: ["e/t"],
    transforms,
    pointer: "/weights/map/embedding.table",
  });
});

test.each([
  [
    { "blocks.{i}.norm1.wieght": "x.{i}" },
    "weights/map-key",
    /matches no parameter/,
    "/weights/map/blocks.{i}.norm1.wieght",
  ],
  [
    { "embedding.table": "x.{i}" },
    "weights/map-placeholder",
    /`x.\{i\}` uses \{i\}, which `embedding.table` does not have/,
    "/weights/map/embedding.table",
  ],
  [
    { "blocks.{i}.norm1.weight": "x.{j}" },
    "weights/map-placeholder",
    /uses \{j\}/,
    "/weights/map/blocks.{i}.norm1.weight",
  ],
  [
    { "blocks.{i}.mixer.filters.1.mlp.{k}.weight": "x", "blocks.0.mixer.filters.{o}.mlp.{k}.weight": "y" },
    "weights/map-ambiguous",
    /both .* name `blocks.0.mixer.filters.1.mlp.2.weight`/,
    "/weights/map/blocks.0.mixer.filters.{o}.mlp.{k}.weight",
  ],
] as const)("%j is refused: %s", (map, code, says, pointer) => {
  const { report } = recipes(map);
  expect(report.diagnostics).toHaveLength(1);
  expect(report.diagnostics[0]).toMatchObject({ severity: "error", code, pointer, file: "model.json" });
  expect(report.diagnostics[0]!.message).toMatch(says);
  expect(report.diagnostics[0]!.help).toBeDefined();
});

test("a misspelt key is answered with the parameter it comes near", () => {
  const { report } = recipes({ "embedding.tabel": "x" });
  expect(report.diagnostics[0]!.help).toContain("embedding.table");
});

test("ignore patterns", () => {
  expect(ignorePattern("a.{i}.freq").test("a.12.freq")).toBe(true);
  expect(ignorePattern("a.{i}.freq").test("a.b.freq")).toBe(false);
  expect(ignorePattern("decoder.*").test("decoder.0.weight")).toBe(true);
  expect(ignorePattern("decoder.*").test("decoderx")).toBe(false);
  expect(ignorePattern("loc").test("proposal.loc")).toBe(false);
});

test("names that look alike", () => {
  const names = [
    "backbone.blocks.0.norm1.weight",
    "backbone.blocks.1.norm1.weight",
    "backbone.blocks.0.norm2.weight",
    "head.bias",
  ];
  expect(nearestNames("blocks.0.norm1.weight", names, 1)).toEqual(["backbone.blocks.0.norm1.weight"]);
  expect(nearestNames("entirely.different", names)).toEqual([]);
  expect(numberPattern("blocks.3.mlp.0.weight")).toBe("blocks.{i}.mlp.{j}.weight");
});
