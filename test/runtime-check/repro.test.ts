// A repro holds the op to blame and nothing else, and fails again in another process's hands.
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import type { Tensor } from "../../src/ir/tensor.js";
import { checkModule } from "../../src/runtime-check/check.js";
import { makeRepro } from "../../src/runtime-check/repro.js";
import { readRepro, writeRepro } from "../../src/runtime-check/repro-files.js";
import { DlmcError } from "../../src/support/diagnostic.js";
import { again, float32Candidate } from "./float32.js";
import { randomModule } from "./random-modules.js";

const folder = mkdtempSync(join(tmpdir(), "dlmc-repro-test-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const module = randomModule({ seed: 2, depth: 9, length: 5, width: 8 });
const wrong = float32Candidate((op, { x, weight }) =>
  op.name === "linear" && op.operands[2] !== undefined ? again(op, { x: x!, weight: weight! }) : undefined,
);

test("written, read back, failing again, and passing on an honest candidate", async () => {
  const [graph] = (await checkModule(module, wrong)).graphs;
  const repro = await makeRepro(module, "g", graph!.firstDivergence!, wrong);
  expect(repro.module.graphs[0]!.ops.map((op) => op.name)).toEqual(["weight", "weight", "linear"]);
  expect(Object.keys(repro.weights)).toHaveLength(2);
  expect(Object.keys(repro.inputs)).toHaveLength(1);

  const directory = join(folder, "first");
  writeRepro(repro, directory);
  expect(readdirSync(directory).sort()).toEqual([
    "README.md",
    "actual.safetensors",
    "expected.safetensors",
    "inputs.safetensors",
    "op.ir",
    "weights.safetensors",
  ]);
  expect(readFileSync(join(directory, "README.md"), "utf8")).toContain("linear");

  const read = readRepro(directory);
  const bad = await checkModule(read.module, wrong, { inputs: read.inputs });
  expect(bad.graphs[0]!.firstDivergence).toMatchObject({ mode: "isolated", op: "linear" });
  // The very numbers: the same place, the same values.
  const { index, actual, expected } = graph!.firstDivergence!;
  expect(bad.graphs[0]!.firstDivergence).toMatchObject({ index, actual, expected });
  expect((await checkModule(read.module, float32Candidate(), { inputs: read.inputs })).agrees).toBe(true);
});

test("a directory that is there is left as it is, and no half-written one remains", async () => {
  const [graph] = (await checkModule(module, wrong)).graphs;
  const repro = await makeRepro(module, "g", graph!.firstDivergence!, wrong);
  const directory = join(folder, "second");
  writeRepro(repro, directory);
  expect(() => writeRepro({ ...repro, readme: "other" }, directory)).toThrow(DlmcError);
  expect(readFileSync(join(directory, "README.md"), "utf8")).not.toBe("other");
  expect(readdirSync(folder).filter((name) => name.startsWith("."))).toEqual([]);
  expect(existsSync(join(folder, "third"))).toBe(false);
});

test("a directory without a repro, or with half of one, says what it lacks", async () => {
  const empty = join(folder, "empty");
  mkdirSync(empty);
  expect(() => readRepro(empty)).toThrow("is a directory without op.ir");
  writeFileSync(join(empty, "model.json"), "{}");
  const help = (): readonly (string | undefined)[] => {
    try {
      readRepro(empty);
    } catch (error) {
      if (error instanceof DlmcError) return error.diagnostics.map((each) => each.help);
    }
    return [];
  };
  expect(help()).toEqual([`name ${join(empty, "model.json")}`]);

  const [graph] = (await checkModule(module, wrong)).graphs;
  const repro = await makeRepro(module, "g", graph!.firstDivergence!, wrong);
  const damaged = join(folder, "damaged");
  const [[name, value]] = Object.entries(repro.inputs) as [[string, Tensor]];
  writeRepro({ ...repro, inputs: { [name]: { ...value, shape: [value.data.length] } } }, damaged);
  expect(() => readRepro(damaged)).toThrow("check/repro-inputs");
  writeRepro({ ...repro, inputs: {} }, join(folder, "without"));
  expect(() => readRepro(join(folder, "without"))).toThrow("check/repro-inputs");
});
