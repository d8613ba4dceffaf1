// What text cannot say: modules made by hand that break a rule.
import { expect, test } from "vitest";
import { Dim } from "../../src/ir/dim.js";
import { type Graph, type Module, noWeights, nowhere, type Op, type Value } from "../../src/ir/graph.js";
import { parseModule } from "../../src/ir/parse.js";
import { type } from "../../src/ir/type.js";
import { verify } from "../../src/ir/verify.js";

const x: Value = { type: type("f32", [2]), hint: "x" };
const y: Value = { type: type("f32", [2]), hint: "y" };

function moduleOf(ops: readonly Op[], outputs: readonly Value[] = [x]): Module {
  const graph: Graph = { name: "g", inputs: [x], ops, outputs, outputNames: outputs.map((_, i) => `y${i}`) };
  return { dims: new Map(), graphs: [graph], weights: noWeights };
}

const opOf = (name: string, operands: Op["operands"], results: readonly Value[], attributes = {}): Op => ({
  name,
  operands,
  attributes,
  results,
  loc: nowhere,
});

const labels = (module: Module): string[] => verify(module).map((problem) => problem.label);

test("a good module has no problems", () => {
  expect(labels(moduleOf([opOf("neg", [x], [y])], [y]))).toEqual([]);
});

test("a value of another graph is not defined in this one", () => {
  const foreign: Value = { type: x.type };
  expect(labels(moduleOf([opOf("neg", [foreign], [y])]))).toEqual(["module_c2"]);
  expect(labels(moduleOf([], [foreign]))).toEqual(["module_c7"]);
});

test("an op may not define what is defined", () => {
  expect(labels(moduleOf([opOf("neg", [x], [x])]))).toEqual(["module_c6"]);
});

test("recorded types are checked against the rule", () => {
  const wrong: Value = { type: type("f32", [3]) };
  expect(labels(moduleOf([opOf("neg", [x], [wrong])]))).toEqual(["module_c3"]);
  expect(labels(moduleOf([opOf("neg", [x], [])]))).toEqual(["module_c3"]);
});

test("extents that can be zero or negative are refused wherever they are", () => {
  const empty: Value = { type: type("f32", [Dim.symbol("N", 0, 4)]), hint: "empty" };
  const graph: Graph = { name: "g", inputs: [empty], ops: [], outputs: [], outputNames: [] };
  expect(labels({ dims: new Map(), graphs: [graph], weights: noWeights })).toEqual(["module_c5"]);
});

test("a call names an earlier graph", () => {
  const module = parseModule(
    'graph @f(%x: f32[2]) {\n  return y = %x\n}\n\ngraph @g(%x: f32[2]) {\n  %y = call %x {graph = "f"} : f32[2]\n  return y = %y\n}\n',
  );
  expect(labels(module)).toEqual([]);
  expect(labels({ ...module, graphs: module.graphs.toReversed() })).toEqual(["call_c1"]);
});

test("a target's list narrows the ops", () => {
  const module = moduleOf([opOf("neg", [x], [y])], [y]);
  expect(verify(module, new Set(["neg"]))).toEqual([]);
  expect(verify(module, new Set(["abs"])).map((p) => p.label)).toEqual(["target_c1"]);
});
