// Nothing of the IR is untested: every op has a run case, every constraint a module that breaks it, and every op a
// way to every target.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import type { Module } from "../src/ir/graph.js";
import { type Check, operandRecord } from "../src/ir/op.js";
import { definitionOf, ops } from "../src/ir/ops/index.js";
import { parseModule } from "../src/ir/parse.js";
import { verify } from "../src/ir/verify.js";
import { runPasses } from "../src/passes/pass.js";
import { type Target, targets } from "../src/targets.js";
import { directives, irFiles, readText, sections } from "./file-tests/sections.js";
import { seededWeights } from "./file-tests/weights.js";

const root = fileURLToPath(new URL(".", import.meta.url));
const texts = irFiles(root).map((file) => readText(root, file));
const cases = irFiles(root)
  .filter((file) => file.startsWith("ops/"))
  .flatMap((file) => sections(readText(root, file)))
  .filter((part) => directives(part.text, "run").length > 0)
  .map((part) => ({ title: part.title, module: parseModule(part.text) }));
const names = Object.keys(ops);

const opsOf = (module: Module): string[] => module.graphs.flatMap((graph) => graph.ops.map((op) => op.name));

test("every op has a run case computed by hand", () => {
  const run = new Set(cases.flatMap(({ module }) => opsOf(module)));
  expect(names.filter((name) => !run.has(name))).toEqual([]);
});

/** Labels written out in src/ir, and those that type rules ask about while any test module is checked. */
function labelsInUse(): Set<string> {
  const folder = fileURLToPath(new URL("../src/ir", import.meta.url));
  const written = readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts"))
    .flatMap((file) => [...readFileSync(join(folder, file), "utf8").matchAll(/"(\w+_c\d+)"/g)])
    .map(([, label]) => label!);
  const labels = new Set(written);
  for (const { module } of cases)
    for (const graph of module.graphs)
      for (const op of graph.ops) {
        const definition = definitionOf(op.name)!;
        const check: Check = {
          that: (_, label) => {
            labels.add(label);
          },
          graph: (name) => module.graphs.find((g) => g.name === name),
        };
        const types = operandRecord(
          definition.operands,
          op.operands.map((v) => v?.type),
        );
        definition.type(types as never, op.attributes as never, check);
      }
  return labels;
}

test("every constraint has a module that breaks it", () => {
  const broken = new Set(
    texts.flatMap((text) => [...text.matchAll(/; error (\w+):/g)].map(([, label]) => label!)),
  );
  // A target's list of ops is no rule of the text; test/ir/verify.test.ts breaks it.
  broken.add("target_c1");
  expect([...labelsInUse()].filter((label) => !broken.has(label)).sort()).toEqual([]);
});

/** Ops no lowering makes: a pass makes them in the pipelines of these targets only. */
const madeFor: Readonly<Record<string, readonly string[]>> = {
  fft_conv: ["wgsl"],
  depthwise_conv: ["onnx"],
  fft_matrix: ["onnx"],
  fft_spectrum: ["onnx"],
  rfft: ["onnx"],
  irfft: ["onnx"],
};

test.each(
  Object.entries(targets) as [string, Target][],
)("%s takes every op, or a pass expands it", (targetName, target) => {
  const { accepts } = target;
  const missing = names.filter((name) => {
    if (accepts.has(name)) return false;
    if (madeFor[name]?.includes(targetName) === false) return false;
    // Every module that has the op must come out of the pipeline without it.
    const found = cases.filter(({ module }) => opsOf(module).includes(name));
    return found.some(({ module }) => {
      const bound = { ...module, weights: seededWeights(module, new Map()) };
      const result = runPasses(bound, target.pipeline({}));
      return verify(result, accepts).length > 0;
    });
  });
  expect(missing).toEqual([]);
});
