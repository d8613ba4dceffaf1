// Every example validates, compiles on every target and agrees with the reference there: on ONNX here, on WebGPU in the
// files beside this one.
import { existsSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { check } from "../../src/api/check.js";
import { openSession } from "../../src/api/generate.js";
import { targets } from "../../src/targets.js";
import { examples, faults } from "./on-wgsl.js";

test("every directory is an example with a page, and the list says what each page begins with", async () => {
  const list = readFileSync("examples/README.md", "utf8");
  const { exampleList } = (await import(new URL("../../scripts/example-list.js", import.meta.url).href)) as {
    exampleList(): string;
  };
  expect(list, "npm run examples").toBe(exampleList());
  for (const name of examples) {
    expect(existsSync(`examples/${name}/model.json`), name).toBe(true);
    expect(existsSync(`examples/${name}/README.md`), name).toBe(true);
    expect(list).toContain(`(${name})`);
  }
});

test("the examples are checked on every target", () => {
  expect(Object.keys(targets)).toEqual(["onnx", "wgsl"]);
});

test.each(examples)("%s agrees on onnx", async (name) => {
  const model = `examples/${name}/model.json`;
  const trained = existsSync(`examples/${name}/weights.safetensors`);
  const report = await check({ model, target: "onnx", steps: 3, ...(trained ? {} : { synthetic: 1 }) });
  expect(faults(report.graphs)).toEqual([]);
  expect(report.agrees).toBe(true);
});

test("the same seed gives the same tokens on the reference and on ONNX", async () => {
  for (const name of ["langflow", "diffusion-lm"]) {
    const tokens = await Promise.all(
      ["reference", "onnx"].map(async (target) => {
        const session = await openSession({
          model: `examples/${name}/model.json`,
          target,
          synthetic: 2,
          steps: 4,
          batch: 2,
          seed: 11,
        });
        let last: Int32Array | undefined;
        for await (const state of session.states()) last = state.tokens;
        await session.close();
        return [...last!];
      }),
    );
    expect(tokens[1], name).toEqual(tokens[0]);
  }
});
