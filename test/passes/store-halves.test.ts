// Which matrices halves hold: an error of at most 2^-11 of the whole, whatever a device does below the least normal half.
import { expect, test } from "vitest";
import { Builder } from "../../src/ir/build.js";
import { dim } from "../../src/ir/dim.js";
import { evaluate } from "../../src/ir/evaluate.js";
import type { Module } from "../../src/ir/graph.js";
import { tensor } from "../../src/ir/tensor.js";
import { type } from "../../src/ir/type.js";
import { runPasses } from "../../src/passes/pass.js";
import { storeHalves } from "../../src/passes/store-halves.js";
import type { Diagnostic } from "../../src/support/diagnostic.js";

interface Stored {
  readonly element: string;
  readonly warnings: readonly Diagnostic[];
  readonly module: Module;
}

function store(numbers: readonly number[], isFormula = false): Stored {
  const b = new Builder("mixer");
  const x = b.input("x", type("f32", [1, 2]));
  const y = b.emit("linear", { x, weight: b.weight("w", [dim(2), dim(2)]) }, {});
  const weights = {
    has: () => true,
    read: () => tensor("f32", [2, 2], Float64Array.from(numbers)),
    isFormula: () => isFormula,
  };
  const warnings: Diagnostic[] = [];
  const given: Module = { dims: new Map(), graphs: [b.finish({ y })], weights };
  const module = runPasses(given, [storeHalves({ warn: (problem) => warnings.push(problem) })]);
  const weight = module.graphs[0]!.ops.find(({ name }) => name === "weight")!;
  return { element: weight.results[0]!.type.element, warnings, module };
}

test("a matrix that halves hold is stored in them, and read exactly until it is written", () => {
  const numbers = [0.1, -3.7, 1 / 3, 1024.6];
  const { element, warnings, module } = store(numbers);
  expect([element, warnings]).toEqual(["f16", []]);
  const column = (k: number): Float64Array =>
    evaluate(module, "mixer", [tensor("f32", [1, 2], Float64Array.of(1 - k, k))])[0]!.data;
  expect([column(0)[0], column(1)[0], column(0)[1], column(1)[1]]).toEqual(numbers);
});

test("numbers beyond the largest half keep the matrix f32, and say so", () => {
  const { element, warnings } = store([1, 2, 70000, 4]);
  expect(element).toBe("f32");
  expect(warnings.map(({ code, severity }) => [code, severity])).toEqual([
    ["precision/out-of-range", "warning"],
  ]);
  expect(warnings[0]!.message).toContain("w stays f32");
});

test("a matrix of numbers too small for normal halves stays f32; a few small ones among large do not matter", () => {
  const { element, warnings } = store([1e-6, 2e-6, -1e-6, 3e-7]);
  expect([element, warnings[0]?.code]).toEqual(["f32", "precision/underflow"]);
  expect(store([1, 2e-6, -1e-6, 3]).element).toBe("f16");
  expect(store([0, 0, 0, 0]).element).toBe("f16");
});

test("tables that formulas give stay as they are", () =>
  expect(store([1, 2, 3, 4], true).element).toBe("f32"));
