// One case of a pass file: the module before, the passes of the header, the module after, and that both mean
// the same at small and awkward sizes.
import { expect } from "vitest";
import { evaluate } from "../../src/ir/evaluate.js";
import type { Module } from "../../src/ir/graph.js";
import { parseModule } from "../../src/ir/parse.js";
import { printModule } from "../../src/ir/print.js";
import { seededInputs } from "../../src/ir/seeded.js";
import type { Tensor } from "../../src/ir/tensor.js";
import { verify } from "../../src/ir/verify.js";
import { passesFromText } from "../../src/passes/index.js";
import { type Pass, runPasses } from "../../src/passes/pass.js";
import { directives, moduleText, type Section } from "./sections.js";
import { seededWeights } from "./weights.js";

const lengths = [1, 2, 3, 5, 7, 13];
const batches = [1, 2];

/** Passes named by `; pass a` or `; passes a, b=option` in a header. */
export function headerPasses(text: string): readonly Pass[] | undefined {
  const [found] = [...directives(text, "pass"), ...directives(text, "passes")];
  return found === undefined ? undefined : passesFromText(found);
}

/** Checks a case; returns the texts it should have, for blessing. */
export function checkPassCase(
  before: Section,
  after: Section,
  passes: readonly Pass[],
  bless: boolean,
): { before: string; after: string } {
  const written = moduleText(before.text);
  const parsed = parseModule(written);
  expect(verify(parsed)).toEqual([]);
  const canonical = printModule(parsed);
  if (!bless) expect(canonical).toBe(written);
  const sizes = sizeCases(parsed)[0]!;
  const module = { ...parsed, weights: seededWeights(parsed, sizes) };
  const result = runPasses(module, passes);
  const text = printModule(result);
  if (!bless) expect(text).toBe(moduleText(after.text));
  expect(verify(result)).toEqual([]);
  expect(printModule(parseModule(text))).toBe(text);
  const single = passes.length === 1 && directives(before.text, "not idempotent").length === 0;
  if (single) expect(printModule(runPasses(result, passes)), "running the pass again").toBe(text);
  for (const at of sizeCases(parsed)) sameValue(parsed, passes, at);
  return { before: canonical, after: text };
}

/** Sizes for every free dim: all lengths for L, two batches for B, 3 for others; within each dim's range. */
function sizeCases(module: Module): ReadonlyMap<string, number>[] {
  let cases: Map<string, number>[] = [new Map()];
  for (const [name, extent] of module.dims) {
    if (extent.key !== name) continue;
    const wanted = name === "L" ? lengths : name === "B" ? batches : [3];
    const legal = wanted.filter((n) => n >= extent.min && n <= extent.max);
    const sizes = legal.length > 0 ? legal : [extent.min];
    cases = cases.flatMap((known) => sizes.map((n) => new Map([...known, [name, n]])));
  }
  return cases;
}

/** Both sides in float64 on seeded inputs agree to 1e-11 of each output's largest number. */
function sameValue(parsed: Module, passes: readonly Pass[], sizes: ReadonlyMap<string, number>): void {
  const module: Module = { ...parsed, weights: seededWeights(parsed, sizes) };
  const stages = [module];
  for (const pass of passes) stages.push(runPasses(stages[stages.length - 1]!, [pass]));
  const result = stages[stages.length - 1]!;
  const bound = [...result.dims].some(
    ([name, extent]) => extent.value !== undefined && sizes.has(name) && sizes.get(name) !== extent.value,
  );
  if (bound) return;
  for (const graph of parsed.graphs) {
    const target = result.graphs.find((g) => g.name === graph.name);
    if (target === undefined) continue;
    const values = seededInputs(module, graph, sizes);
    let given = new Map(graph.inputs.map((v, i) => [v.hint ?? String(i), values[i]!]));
    let taken: ReadonlyMap<string, Tensor> = given;
    passes.forEach((pass, i) => {
      const related = pass.relateInputs?.(graph.name, taken, stages[i + 1]!);
      if (related === undefined) return;
      given = new Map([...given, ...related.before]);
      taken = related.after;
    });
    const left = evaluate(
      module,
      graph.name,
      graph.inputs.map((v, i) => given.get(v.hint ?? String(i))!),
    );
    const right = evaluate(
      result,
      graph.name,
      target.inputs.map((v, i) => taken.get(v.hint ?? String(i))!),
    );
    left.forEach((wanted, i) => {
      const place = `@${graph.name} ${graph.outputNames[i]} at ${[...sizes].map(([n, s]) => `${n}=${s}`).join(", ")}`;
      const found = right[target.outputNames.indexOf(graph.outputNames[i]!)];
      // An output that the pass dropped has no value to compare.
      if (found === undefined) return;
      expect(found.shape, place).toEqual(wanted.shape);
      expect(difference(wanted, found), place).toBeLessThanOrEqual(1e-11);
    });
  }
}

/** max |a - b| / max |a|; equal infinities and NaNs do not differ. */
function difference(a: Tensor, b: Tensor): number {
  let largest = 0;
  let most = 0;
  a.data.forEach((x, i) => {
    const y = b.data[i]!;
    if (Object.is(x, y) || x === y) {
      if (Number.isFinite(x)) largest = Math.max(largest, Math.abs(x));
      return;
    }
    largest = Math.max(largest, Math.abs(x));
    const apart = Math.abs(x - y);
    most = Number.isNaN(apart) ? Number.POSITIVE_INFINITY : Math.max(most, apart);
  });
  return most === 0 ? 0 : most / largest;
}
