// Every example validates, compiles on every target and agrees with the reference there.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { check } from "../../src/api/check.js";
import { openSession } from "../../src/api/generate.js";
import { targets } from "../../src/targets.js";

const examples = readdirSync("examples", { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => entry.name);

test("every directory is an example with a page, and the list names it", () => {
  const list = readFileSync("examples/README.md", "utf8");
  for (const name of examples) {
    expect(existsSync(`examples/${name}/model.json`), name).toBe(true);
    expect(existsSync(`examples/${name}/README.md`), name).toBe(true);
    expect(list).toContain(`(${name})`);
  }
});

for (const name of examples) {
  const model = `examples/${name}/model.json`;
  const weights = existsSync(`examples/${name}/weights.safetensors`) ? {} : { synthetic: 1 };
  describe(name, () => {
    for (const target of Object.keys(targets))
      test(`agrees on ${target}`, async () => {
        const report = await check({ model, target, steps: 3, ...weights });
        expect(
          report.graphs.flatMap(({ problems, firstDivergence }) => [
            ...problems,
            ...(firstDivergence ? [firstDivergence] : []),
          ]),
        ).toEqual([]);
        expect(report.agrees).toBe(true);
      });
  });
}

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
