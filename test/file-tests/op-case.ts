// One case of an op file: `; run` lines give results computed by hand, `; error` comments the broken rules.
import { expect } from "vitest";
import { evaluate } from "../../src/ir/evaluate.js";
import { findGraph, type Module, type WeightSource } from "../../src/ir/graph.js";
import { parseModule } from "../../src/ir/parse.js";
import { printModule } from "../../src/ir/print.js";
import type { Tensor } from "../../src/ir/tensor.js";
import { verify } from "../../src/ir/verify.js";
import { DlmcError } from "../../src/support/diagnostic.js";
import { parseNested, parseRun, toTensor } from "./numbers.js";
import { directives, moduleText, type Section } from "./sections.js";

/** `; weight name = [1, 2]` lines of a case. */
function givenWeights(text: string): WeightSource {
  const known = new Map<string, Tensor>();
  for (const line of directives(text, "weight")) {
    const [, name, value] = /^(\S+) = (.*)$/.exec(line)!;
    known.set(name!, toTensor(parseNested(value!), "f32"));
  }
  return { has: (name) => known.has(name), read: (name) => known.get(name)! };
}

/** Labels, messages and places of everything wrong with the text. */
function problemsOf(text: string): string[] {
  let module: Module;
  try {
    module = parseModule(text);
  } catch (error) {
    if (!(error instanceof DlmcError)) throw error;
    return error.diagnostics.map(
      (d) => `line ${text.slice(0, d.offset).split("\n").length}: ${d.code}: ${d.message}`,
    );
  }
  const lines = text.split("\n");
  return verify(module).map(({ label, message, graph, op }) => {
    const named = lines.flatMap((line, i) => (line.startsWith(`graph @${graph}(`) ? [i] : []));
    const ops = module.graphs.find((g) => op !== undefined && g.ops.includes(op))?.ops ?? [];
    const at = op === undefined ? named[named.length - 1]! : named[0]! + 1 + ops.indexOf(op);
    return `line ${at + 1}: ${label}: ${message}`;
  });
}

export function checkOpCase(section: Section): void {
  const { text } = section;
  const expected = text.split("\n").flatMap((line, i) => {
    const comment = line.indexOf("; error ");
    if (comment < 0) return [];
    return line
      .slice(comment)
      .split("; error ")
      .slice(1)
      .map((part) => `line ${i + 1}: ${part.trim()}`);
  });
  expect(problemsOf(text)).toEqual(expected);
  const runs = directives(text, "run").map(parseRun);
  expect(runs.length + expected.length, "a case runs something or breaks something").toBeGreaterThan(0);
  if (runs.length === 0) return;
  const module = parseModule(text, { weights: givenWeights(text) });
  expect(printModule(module)).toBe(moduleText(text));
  for (const run of runs) {
    const graph = findGraph(module, run.graph)!;
    const inputs = graph.inputs.map((v, i) => toTensor(run.inputs[i]!, v.type.element));
    if (run.relation === "throws") {
      expect(() => evaluate(module, run.graph, inputs)).toThrow(run.message);
      continue;
    }
    const results = evaluate(module, run.graph, inputs);
    expect(results.length).toBe(run.expected.length);
    graph.outputs.forEach((output, i) => {
      expectTensor(
        results[i]!,
        toTensor(run.expected[i]!, output.type.element),
        run.relation === "=" ? 0 : 1e-12,
      );
    });
  }
}

function expectTensor(found: Tensor, wanted: Tensor, relative: number): void {
  expect(found.element).toBe(wanted.element);
  expect([...found.shape]).toEqual([...wanted.shape]);
  const largest = wanted.data.reduce((m, v) => Math.max(m, Number.isFinite(v) ? Math.abs(v) : 0), 0);
  const near = (a: number, b: number): boolean =>
    a === b || (Number.isNaN(a) && Number.isNaN(b)) || Math.abs(a - b) <= relative * largest;
  const ok = wanted.data.every((v, i) => near(found.data[i]!, v));
  expect(ok, `got [${found.data}], expected [${wanted.data}]`).toBe(true);
}
