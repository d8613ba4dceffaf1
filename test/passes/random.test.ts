// Random modules: they verify, read back as themselves, and every pass keeps what they compute.
import fc from "fast-check";
import { expect, test } from "vitest";
import { parseModule } from "../../src/ir/parse.js";
import { printModule } from "../../src/ir/print.js";
import { verify } from "../../src/ir/verify.js";
import { checkValues } from "../../src/passes/check-values.js";
import { passesFromText } from "../../src/passes/index.js";
import { runPasses } from "../../src/passes/pass.js";
import { moduleFrom } from "../file-tests/random-module.js";

const choices = fc.array(fc.nat(1_000_000), { minLength: 12, maxLength: 160, size: "max" });
// A failing list is shrunk for half a minute at most.
const bounded = { interruptAfterTimeLimit: 30_000 };
const sizes = { B: 2, L: 3 };
const sizeMap = new Map(Object.entries(sizes));

test("random modules verify and read back as themselves", () => {
  fc.assert(
    fc.property(choices, (list) => {
      const module = moduleFrom(list, sizeMap);
      expect(verify(module)).toEqual([]);
      const text = printModule(module);
      expect(printModule(parseModule(text))).toBe(text);
    }),
    { seed: 1, numRuns: 200, ...bounded },
  );
}, 60_000);

test.each([
  "canonicalise",
  "fold-constants",
  "merge-duplicates",
  "remove-dead",
  "inline-calls",
  "bind-dims=L:3",
  "expand-attention",
  "expand-rope",
  "expand-norm",
  "hoist-filters=fold",
  "hoist-filters=load",
  "hoist-time=run",
  "hoist-time=0.75+0.5",
  "bind-dims=L:3, inline-calls, expand-attention, expand-rope, expand-norm, canonicalise, merge-duplicates, hoist-time=run, hoist-filters=fold, fold-constants, canonicalise, merge-duplicates, remove-dead",
  "bind-dims=L:3, pad-fft, choose-fft",
])("%s keeps what random modules compute", (text) => {
  const passes = passesFromText(text);
  fc.assert(
    fc.property(choices, (list) => {
      const module = moduleFrom(list, sizeMap);
      const result = runPasses(module, passes, { after: checkValues({ sizes }) });
      const printed = printModule(result);
      expect(printModule(parseModule(printed))).toBe(printed);
    }),
    { seed: 7, numRuns: 40, ...bounded },
  );
}, 60_000);
