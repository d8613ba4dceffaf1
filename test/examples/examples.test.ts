// Every example validates, compiles on every target and agrees with the reference there.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { check } from "../../src/api/check.js";
import { openSession } from "../../src/api/generate.js";
import { targets } from "../../src/targets.js";
import { driverEnvironment, mainDriver, notRun } from "../emit-wgsl/device.js";

const examples = readdirSync("examples", { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => entry.name);

type Graphs = readonly { readonly problems: readonly string[]; readonly firstDivergence?: unknown }[];

function faults(graphs: Graphs): unknown[] {
  return graphs.flatMap(({ problems, firstDivergence }) => [
    ...problems,
    ...(firstDivergence === undefined ? [] : [firstDivergence]),
  ]);
}

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

for (const name of examples)
  describe(name, () => {
    const model = `examples/${name}/model.json`;
    const trained = existsSync(`examples/${name}/weights.safetensors`);

    test("agrees on onnx", async () => {
      const report = await check({ model, target: "onnx", steps: 3, ...(trained ? {} : { synthetic: 1 }) });
      expect(faults(report.graphs)).toEqual([]);
      expect(report.agrees).toBe(true);
    });

    test("agrees on wgsl", () => {
      // A graphics driver is found by variables that must stand before a process starts.
      const driver = driverEnvironment(mainDriver);
      if (driver === undefined) return notRun(`driver ${mainDriver} missing`);
      const seed = trained ? [] : ["--synthetic", "1"];
      const args = [
        "dist/cli/main.js",
        "check",
        model,
        "--target",
        "wgsl",
        "--steps",
        "3",
        "--json",
        ...seed,
      ];
      const { stdout, stderr, status } = spawnSync(process.execPath, args, {
        env: { ...process.env, ...driver },
        encoding: "utf8",
        maxBuffer: 1 << 28,
      });
      expect(stdout, stderr).not.toBe("");
      expect(faults((JSON.parse(stdout) as { graphs: Graphs }).graphs)).toEqual([]);
      expect(status, stderr).toBe(0);
    });
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
