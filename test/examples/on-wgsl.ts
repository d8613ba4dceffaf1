// Examples checked on WebGPU, each in a process of its own: a graphics driver is found by variables that must stand before
// a process starts. Two files share the list, so that two workers share the minutes it takes.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { expect, test } from "vitest";
import { driverEnvironment, mainDriver, notRun } from "../emit-wgsl/device.js";

/** The directories of examples. */
export const examples = readdirSync("examples", { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => entry.name);

type Graphs = readonly { readonly problems: readonly string[]; readonly firstDivergence?: unknown }[];

/** What a report has against its graphs. */
export function faults(graphs: Graphs): unknown[] {
  return graphs.flatMap(({ problems, firstDivergence }) => [
    ...problems,
    ...(firstDivergence === undefined ? [] : [firstDivergence]),
  ]);
}

/** Every second example, from the `first` on, agrees with the reference. */
export function everySecondAgrees(first: 0 | 1): void {
  test.each(examples.filter((_, i) => i % 2 === first))("%s agrees on wgsl", (name) => {
    const driver = driverEnvironment(mainDriver);
    if (driver === undefined) return notRun(`driver ${mainDriver} missing`);
    const trained = existsSync(`examples/${name}/weights.safetensors`);
    const model = `examples/${name}/model.json`;
    const args = ["dist/cli/main.js", "check", model, "--target", "wgsl", "--steps", "3", "--json"];
    const seed = trained ? [] : ["--synthetic", "1"];
    const { stdout, stderr, status } = spawnSync(process.execPath, [...args, ...seed], {
      env: { ...process.env, ...driver },
      encoding: "utf8",
      maxBuffer: 1 << 28,
    });
    expect(stdout, stderr).not.toBe("");
    expect(faults((JSON.parse(stdout) as { graphs: Graphs }).graphs)).toEqual([]);
    expect(status, stderr).toBe(0);
  });
}
