// Loads that share a device, run out of memory, or meet a device with less than usual.

import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openSession } from "../../src/api/generate.js";
import { type BundleProcess, bundle, bundleProcess, descriptionOf } from "./bundle-process.js";

const model = descriptionOf("diffusion-lm");
const options = { seed: 5, steps: 3 };
let device: BundleProcess | undefined;
let directory = "";
let expected: number[] = [];
const removed: (() => void)[] = [];
const built = (): string => {
  const made = bundle({ model, synthetic: 1 });
  removed.push(made.remove);
  return made.directory;
};

beforeAll(async () => {
  device = await bundleProcess("lavapipe");
  directory = built();
  const session = await openSession({ model, synthetic: 1, target: "reference", ...options });
  for await (const state of session.states()) expected = [...state.tokens];
  await session.close();
}, 300_000);
afterAll(() => {
  device?.close();
  for (const remove of removed) remove();
});

test("two loads at once on one device: both generate, at the same time; destroying twice is once", {
  timeout: 300_000,
}, async () => {
  if (device === undefined) return;
  const { codes, tokens, left, open } = await device.twoLoads({ directory, options });
  expect({ codes, left, open }).toEqual({ codes: [[], []], left: 0, open: 0 });
  expect(tokens).toHaveLength(2);
  expect(tokens[0]).toEqual(tokens[1]);
  // Random weights make near ties, as in runtime.test.ts.
  const differing = expected.filter((token, i) => token !== tokens[0]![i]);
  expect(differing.length).toBeLessThan(expected.length / 4);
});

test.each([
  ["its first buffer", () => 1],
  ["a buffer in the middle", (all: number) => Math.floor(all / 2)],
  ["its last buffer", (all: number) => all],
] as const)(
  "memory that ends at %s fails the load it belongs to, and that one alone",
  {
    timeout: 300_000,
  },
  async (_, at) => {
    if (device === undefined) return;
    // What a load allocates, generating apart.
    const { left, whole = 0 } = await device.loadFailure({ directory });
    expect(left).toBe(0);
    const failing = at(whole);
    expect(failing).toBeGreaterThan(0);
    const report = await device.twoLoads({ directory, failing, options });
    expect(report.codes).toEqual([[], ["webgpu/out-of-memory"]]);
    // The buffers of the first are there, and no other.
    expect(report.leftOfOne).toBe(whole);
    expect(report.tokens).toHaveLength(1);
    expect({ left: report.left, open: report.open }).toEqual({ left: 0, open: 0 });
  },
);

test("an adapter without timestamps: they are not asked for, and there are no times", {
  timeout: 300_000,
}, async () => {
  if (device === undefined) return;
  const { asked, generates, times } = await device.timesWithout({ directory });
  expect(asked).not.toContain("timestamp-query");
  expect({ generates, times }).toEqual({ generates: true, times: "none" });
});

test("a kernel that is no WGSL, under its right hash: the device's refusal names the file", {
  timeout: 300_000,
}, async () => {
  if (device === undefined) return;
  const broken = built();
  const file = join(broken, "manifest.json");
  const manifest = JSON.parse(readFileSync(file, "utf8"));
  const [kernel] = manifest.kernels;
  const code = "@compute @workgroup_size(64) fn main() { return 1; }";
  writeFileSync(join(broken, kernel.file), code);
  kernel.sha256 = createHash("sha256").update(code).digest("hex");
  delete kernel.forms;
  writeFileSync(file, JSON.stringify(manifest));
  const { codes, left } = await device.loadFailure({ directory: broken });
  expect({ codes, left }).toEqual({ codes: ["webgpu/kernel"], left: 0 });
});
