// The value check names a pass that is wrong, and lets honest ones through.
import { expect, test } from "vitest";
import { parseModule } from "../../src/ir/parse.js";
import { rewriteModule, rule } from "../../src/ir/rewrite.js";
import { checkValues } from "../../src/passes/check-values.js";
import { passesFromText } from "../../src/passes/index.js";
import { type Pass, runPasses } from "../../src/passes/pass.js";
import { DlmcError } from "../../src/support/diagnostic.js";
import { seededWeights } from "../file-tests/weights.js";

const parsed = parseModule(`dim B >= 1
dim L >= 1

graph @step(%x: f32[B, L, 8], %tokens: i32[B, L], %level: f32[1]) {
  %table = weight {name = "table", shape = [4, 8]} : f32[4, 8]
  %0 = take %table, %tokens : f32[B, L, 8]
  %1 = add %x, %0 : f32[B, L, 8]
  %2 = attention %1, %1, %x {heads = 2, kv_heads = 2, scale = 0.5} : f32[B, L, 8]
  %3 = layer_norm %2 {epsilon = 0.00001} : f32[B, L, 8]
  %y = neg %3 : f32[B, L, 8]
  %4 = reshape %level {shape = [1, 1]} : f32[1, 1]
  %w = weight {name = "w", shape = [8, 1]} : f32[8, 1]
  %5 = linear %4, %w : f32[1, 8]
  %6 = mul %y, %5 : f32[B, L, 8]
  %tokens_out = nearest_row %6, %table : i32[B, L]
  return y = %6, tokens = %tokens_out
}
`);
const module = { ...parsed, weights: seededWeights(parsed, new Map()) };

function wrong(name: string, ...rules: Parameters<typeof rewriteModule>[2]): Pass {
  return { name, summary: "", run: (m) => rewriteModule(m, name, rules) };
}

function problemOf(pass: Pass): { code: string; message: string; exitCode: number } {
  try {
    runPasses(module, [pass], { after: checkValues() });
  } catch (error) {
    if (error instanceof DlmcError)
      return { code: error.diagnostics[0]!.code, message: error.message, exitCode: error.exitCode };
    throw error;
  }
  throw new Error("nothing was noticed");
}

test("honest passes go through, also those that change inputs or use other sums", () => {
  const text =
    "bind-dims=L:3, expand-attention, expand-norm, expand-nearest-row, hoist-time=run, canonicalise, fold-constants, hoist-filters=load";
  expect(() => runPasses(module, passesFromText(text), { after: checkValues() })).not.toThrow();
  expect(() => runPasses(module, passesFromText("hoist-time=3+2+1"), { after: checkValues() })).not.toThrow();
});

test("a wrong pass is named, and the first op that shows it", () => {
  const problem = problemOf(
    wrong(
      "drop-signs",
      rule("neg", ({ x }, _, b) => [b.emit("abs", { x }, {})]),
    ),
  );
  expect(problem.code).toBe("passes/value-changed");
  expect(problem.exitCode).toBe(4);
  expect(problem.message).toContain("drop-signs changed y of @step");
  expect(problem.message).toContain("the first op with another value is mul");
});

test("an error of one part in a million is noticed", () => {
  const careless = rule("layer_norm", ({ x }, { epsilon }, b) =>
    epsilon === 0.00001 ? [b.emit("layer_norm", { x }, { epsilon: 0.0000101 })] : undefined,
  );
  expect(problemOf(wrong("round-epsilon", careless)).message).toContain("round-epsilon changed y");
});

test("integers must be equal", () => {
  const shifted = rule("nearest_row", ({ x, table }, _, b) =>
    b.producer(table)?.name === "reverse"
      ? undefined
      : [b.emit("nearest_row", { x, table: b.emit("reverse", { x: table }, { axis: 0 }) }, {})],
  );
  expect(problemOf(wrong("other-rows", shifted)).message).toContain("other-rows changed tokens of @step");
});
