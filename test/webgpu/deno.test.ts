// The second front end: every kernel through naga, and a bundle's own module run by Deno, with the tokens of the float64
// reference.

import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, expect, test } from "vitest";
import { openSession } from "../../src/api/generate.js";
import { noiseBits } from "../../src/emit-wgsl/kernels/noise.js";
import { defaultLimits, noFeatures } from "../../src/emit-wgsl/limits.js";
import { implementationOf } from "../emit-wgsl/case.js";
import { driverEnvironment, mainDriver } from "../emit-wgsl/device.js";
import { gallery } from "../emit-wgsl/gallery.js";
import { bundle, notRun, root, sudoku } from "./bundle-process.js";

interface Answer {
  readonly adapter: string | null;
  readonly features: readonly string[];
  readonly problems: readonly (string | null)[];
  readonly tokens: readonly (readonly number[])[];
}

const directory = mkdtempSync(join(tmpdir(), "dlmc-deno-"));
afterAll(() => rmSync(directory, { recursive: true }));

/** What Deno answers; undefined, said aloud, where it or its driver is missing. */
function deno(request: object): Answer | undefined {
  const command = join(root, "node_modules/.bin/deno");
  if (!existsSync(command)) return notRun("Deno", "npm ci");
  const environment = driverEnvironment(mainDriver);
  if (environment === undefined) return notRun("a Vulkan driver", "scripts/install-webgpu-drivers.sh");
  const file = join(directory, "request.json");
  writeFileSync(file, JSON.stringify(request));
  const { stdout, stderr, status } = spawnSync(
    command,
    ["run", "-A", "--no-config", "--no-lock", join(root, "test/webgpu/deno-program.js"), file],
    {
      encoding: "utf8",
      env: {
        ...process.env,
        ...environment,
        DENO_DIR: join(directory, "cache"),
        DENO_NO_UPDATE_CHECK: "1",
        DENO_NO_PACKAGE_JSON: "1",
      },
    },
  );
  expect(status, stderr).toBe(0);
  const answer = JSON.parse(stdout.trim().split("\n").at(-1)!) as Answer;
  return answer.adapter === null ? notRun("a WebGPU adapter in Deno", stderr.trim()) : answer;
}

const kernelsOf = (folder: string): string[] =>
  readdirSync(join(folder, "kernels")).map((file) => readFileSync(join(folder, "kernels", file), "utf8"));

test("naga takes every kernel of the gallery and refuses a broken one", { timeout: 120_000 }, () => {
  const kernels = [
    ...gallery.flatMap((each) => implementationOf(each).kernels),
    ...noiseBits([2, 7, 5], defaultLimits, noFeatures).kernels,
  ].map(({ code }) => code);
  const broken = kernels[0]!.replace("let i =", "let i: f32 =");
  const answer = deno({ codes: [...kernels, broken] });
  if (answer === undefined) return;
  expect(answer.problems.slice(0, -1).filter((problem) => problem !== null)).toEqual([]);
  expect(answer.problems.at(-1)).not.toBeNull();
});

test("the trained bundle runs in Deno with the tokens of the reference", { timeout: 240_000 }, async () => {
  const prompt = "432.5........256.33.6.2121..6.56...4";
  const made = bundle({ model: sudoku });
  try {
    const answer = deno({
      codes: kernelsOf(made.directory),
      bundle: {
        index: pathToFileURL(join(made.directory, "index.js")).href,
        options: { seed: 3, prompt, steps: 2 },
      },
    });
    if (answer === undefined) return;
    expect(answer.problems.filter((problem) => problem !== null)).toEqual([]);
    const session = await openSession({ model: sudoku, target: "reference", seed: 3, prompt, steps: 2 });
    const expected: number[][] = [];
    for await (const { tokens } of session.states()) expected.push([...tokens]);
    await session.close();
    expect(answer.tokens).toEqual(expected);
  } finally {
    made.remove();
  }
});
