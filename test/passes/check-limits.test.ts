// A module that a device cannot hold is refused with both numbers, exit code 3.

import { expect, test } from "vitest";
import { parseModule } from "../../src/ir/parse.js";
import { checkLimits, limitProblems } from "../../src/passes/check-limits.js";
import { fuse } from "../../src/passes/fuse.js";
import { runPasses } from "../../src/passes/pass.js";
import { splitForLimits } from "../../src/passes/split-for-limits.js";
import { DlmcError } from "../../src/support/diagnostic.js";

const head = (vocabulary: number, output: string): string => `graph @round(%x: f32[1, 1024, 8]) {
  %w = weight {name = "w", shape = [${vocabulary}, 8]} : f32[${vocabulary}, 8]
  %logits = linear %x, %w : f32[1, 1024, ${vocabulary}]
  %tokens = argmax %logits {axis = 2} : i32[1, 1024]
  return ${output}
}
`;

test("logits that are an output must fit a binding; those that only a head reads need not", () => {
  const module = parseModule(head(50257, "logits = %logits, tokens = %tokens"));
  try {
    runPasses(module, [splitForLimits(), fuse(), checkLimits()]);
    expect.unreachable();
  } catch (error) {
    expect(error).toBeInstanceOf(DlmcError);
    expect((error as DlmcError).exitCode).toBe(3);
    expect((error as DlmcError).diagnostics.map((d) => [d.code, d.message])).toEqual([
      [
        "limits/binding",
        "logits, f32[1, 1024, 50257] of linear in @round, takes 205852672 bytes; a device with this target's limits binds at most 134217728 (maxStorageBufferBindingSize)",
      ],
    ]);
  }
  expect(limitProblems(runPasses(parseModule(head(50257, "tokens = %tokens")), [fuse()]))).toEqual([]);
});

test("a weight larger than a buffer is refused, one larger than a binding is cut", () => {
  const codes = (rows: number): string[] => {
    const module = parseModule(`graph @g(%tokens: i32[1, 4]) {
  %table = weight {name = "table", shape = [${rows}, 1024]} : f32[${rows}, 1024]
  %y = take %table, %tokens : f32[1, 4, 1024]
  return y = %y
}
`);
    return limitProblems(runPasses(module, [splitForLimits(), fuse()])).map((d) => d.code);
  };
  expect(codes(40000)).toEqual([]);
  expect(codes(70000)).toEqual(["limits/buffer"]);
});
