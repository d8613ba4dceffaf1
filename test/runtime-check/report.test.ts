// Reports of every kind of outcome: valid JSON by the published schema, HTML that needs nothing else, plain text.
import { readFileSync } from "node:fs";
import { Ajv2020 } from "ajv/dist/2020.js";
import { expect, test } from "vitest";
import { parseModule } from "../../src/ir/parse.js";
import { tensor } from "../../src/ir/tensor.js";
import type { Candidate } from "../../src/runtime-check/candidate.js";
import { checkModule } from "../../src/runtime-check/check.js";
import { htmlReport, jsonReport, textReport } from "../../src/runtime-check/report.js";
import type { CheckReport } from "../../src/runtime-check/report-types.js";
import { float32Candidate, type Mistake, weightsOf } from "./float32.js";
import { randomModule } from "./random-modules.js";

const schema = JSON.parse(
  readFileSync(new URL("../../schema/check-report.schema.json", import.meta.url), "utf8"),
);
const validate = new Ajv2020({ strict: true, allErrors: true }).compile(schema);

const module = randomModule({ seed: 5, depth: 6, length: 6, width: 8 });
const onArgmax: Mistake = (op, _, [y]) =>
  op.name === "argmax" ? [{ ...y!, data: y!.data.map((v) => (v + 1) % 11) }] : undefined;
const notFinite: Mistake = (op, _, [y]) =>
  op.name === "linear" ? [{ ...y!, data: y!.data.map((v, i) => (i === 3 ? Number.NaN : v)) }] : undefined;
const broken: Candidate = {
  ...float32Candidate(),
  run: async () => {
    throw new Error("no kernel for <Foo> & bar");
  },
};
const short: Candidate = {
  ...float32Candidate(),
  run: async () => [tensor("f32", [1])],
};
const trajectory: NonNullable<CheckReport["trajectory"]> = {
  agrees: true,
  steps: [0, 1, 2].map((step) => ({
    step,
    level: 1 - step / 3,
    forced: { status: "pass", error: 1e-7, predicted: 2e-7, strain: 0.2, flips: 0, nearTies: 0 },
    free: {
      status: "near-tie",
      error: 1e-7 * 2 ** step,
      predicted: 2e-7,
      strain: 0.3,
      flips: 1,
      nearTies: 1,
    },
  })),
  firstFlip: { step: 0, row: 0, position: 4, expected: 3, actual: 2, margin: 1e-9, allowed: 1e-6 },
};

const outcomes: Readonly<Record<string, () => Promise<CheckReport>>> = {
  agrees: () => checkModule(module, float32Candidate()),
  "outputs only": () => checkModule(module, float32Candidate(), { outputsOnly: true }),
  "a wrong decision": () => checkModule(module, float32Candidate(onArgmax)),
  "a number that is not finite": () => checkModule(module, float32Candidate(notFinite)),
  "does not run": () => checkModule(module, broken),
  "the wrong shape": () => checkModule(module, short),
  "a trajectory": async () => ({ ...(await checkModule(module, float32Candidate())), trajectory }),
  passes: async () => ({
    ...(await checkModule(module, float32Candidate())),
    model: "model.json",
    target: "onnx",
    passes: [{ graph: "g", output: "y", difference: 1e-3, predicted: 1e-7, agrees: false }],
  }),
};

test.each(Object.keys(outcomes))("%s", async (name) => {
  const report = await outcomes[name]!();
  const json = JSON.parse(jsonReport(report));
  validate(json);
  expect(validate.errors ?? []).toEqual([]);

  const html = htmlReport(report);
  expect(html).toMatch(/^<!doctype html>/);
  expect(html).not.toMatch(/(src|href)=|url\(|@import|<script/);
  expect(html).not.toContain("<Foo>");
  // Every element that is opened is closed.
  for (const tag of ["table", "section", "details", "svg", "span", "code", "td", "th", "tr"])
    expect(html.match(new RegExp(`<${tag}[ >]`, "g"))?.length).toBe(
      html.match(new RegExp(`</${tag}>`, "g"))?.length,
    );

  const text = textReport(report);
  expect(text).toContain(report.agrees ? "\nagrees" : "\nDISAGREES");
  expect(text).not.toMatch(/undefined|NaN\)|\[object/);
});

test("the text says where it goes wrong, by how much, and what is allowed", async () => {
  const text = textReport(await outcomes["a wrong decision"]!());
  expect(text).toMatch(
    /first divergence, alone: argmax %\S+\n {4}\d+ decisions differ, at \[.*\]: expected \d+, got \d+/,
  );
  const nan = textReport(await outcomes["a number that is not finite"]!());
  expect(nan).toMatch(/numbers stop being finite at linear %/);
  expect(textReport(await outcomes["does not run"]!())).toContain(
    "not run: the graph as it ships: no kernel for <Foo> & bar",
  );
});

test("a reference that is not finite is the model's fault, not the target's", async () => {
  const log = parseModule("graph @g(%x: f32[2]) {\n  %y = log %x : f32[2]\n  return y = %y\n}\n", {
    weights: weightsOf({}),
  });
  const given = { x: tensor("f32", [2], Float64Array.of(-1, 2)) };
  const report = await checkModule(log, float32Candidate(), { inputs: { given } });
  expect(report.agrees).toBe(true);
  expect(textReport(report)).toContain("the reference itself is not finite from log %y on");
});

test("headroom for half precision", async () => {
  const big = parseModule(
    "graph @g(%x: f32[2]) {\n  %y = scale %x {factor = 1000} : f32[2]\n  return y = %y\n}\n",
  );
  const given = { x: tensor("f32", [2], Float64Array.of(1, 100)) };
  const report = await checkModule(big, float32Candidate(), { inputs: { given } });
  expect(report.graphs[0]!.values[0]!.range).toEqual({
    largest: 1e5,
    nonFinite: 0,
    halfHeadroom: 0.65504,
    overflowsSingle: 0,
  });
  expect(textReport(report)).toContain("BEYOND the limit of half precision");
});
