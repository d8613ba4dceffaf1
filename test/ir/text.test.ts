// The text form: what is printed reads back as itself, and evaluation follows the definitions.
import { expect, test } from "vitest";
import { evaluate } from "../../src/ir/evaluate.js";
import { parseModule } from "../../src/ir/parse.js";
import { printModule } from "../../src/ir/print.js";
import { tensor } from "../../src/ir/tensor.js";
import { verify } from "../../src/ir/verify.js";

const text = `dim B in 1..8
dim L in 1..1024
dim N = 2*L-1

graph @mix(%u: f32[B, L, 4], %k: f32[N, 2], %skip: f32[4]) {
  %y = long_conv %u, %k, %skip {lag0 = 0} : f32[B, L, 4]
  %0 = long_conv %u, %k {lag0 = 0, length = N} : f32[B, L, 4]
  %h = layer_norm %y, _, %skip {epsilon = 0.00001} : f32[B, L, 4]
  %pair = concat %h, %0 {axis = 2} : f32[B, L, 8]
  %1 = reshape %pair {shape = [B*L, 8]} : f32[B*L, 8]
  return y = %h, pair = %1
}
`;

test("printing what was parsed gives the text back", () => {
  const module = parseModule(text);
  expect(verify(module)).toEqual([]);
  expect(printModule(module)).toBe(text);
});

test("a bound length keeps its name", () => {
  const module = parseModule(text.replace("dim L in 1..1024", "dim L = 5").replace("N = 2*L-1", "N = 9"));
  expect(printModule(module)).toContain("dim L = 5\n");
  expect(printModule(module)).toContain("%u: f32[B, L, 4]");
});

test("sizes come from the inputs", () => {
  const module = parseModule(
    "dim L >= 1\n\ngraph @g(%x: f32[L]) {\n  %y = add %x, %x : f32[L]\n  return y = %y\n}\n",
  );
  const [y] = evaluate(module, "g", [tensor("f32", [3], Float64Array.of(1, 2, 3))]);
  expect([...y!.data]).toEqual([2, 4, 6]);
});
