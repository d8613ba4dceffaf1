// Kernels as text, and every one of them through Tint without a GPU. `DLMC_BLESS=1` rewrites the snapshots.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { noiseBits } from "../../src/emit-wgsl/kernels/noise.js";
import { defaultLimits, noFeatures } from "../../src/emit-wgsl/limits.js";
import { implementationOf } from "./case.js";
import { openDevice } from "./device.js";
import { gallery } from "./gallery.js";

const folder = fileURLToPath(new URL("./snapshots/", import.meta.url));
const bless = process.env.DLMC_BLESS === "1";

test.each(gallery.map((c) => [c.name, c] as const))("%s", (name, each) => {
  const kernels = implementationOf(each).kernels;
  const text = kernels
    .map(({ code, grid, bindings }) => {
      const dispatch = `// dispatch ${grid.join(" x ")}; ${bindings.map((b) => `${b.name}: ${b.role.kind}`).join(", ")}`;
      return `${dispatch}\n${code}`;
    })
    .join("\n");
  const file = `${folder}${name}.wgsl`;
  if (bless) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(file, text);
  }
  expect(existsSync(file), `${file} is missing: run with DLMC_BLESS=1`).toBe(true);
  expect(text).toBe(readFileSync(file, "utf8"));
});

test("Tint takes every kernel, with and without subgroups", async () => {
  const device = await openDevice("null");
  if (device === undefined) return;
  const codes = [
    ...gallery.flatMap((each) => implementationOf(each).kernels),
    ...gallery.flatMap((each) => implementationOf(each, { f16: false, subgroups: true }).kernels),
    ...noiseBits([2, 7, 5], defaultLimits, noFeatures).kernels,
  ].map((kernel) => kernel.code);
  const problems = await device.compile(codes);
  device.close();
  expect(problems.filter((p) => p !== null)).toEqual([]);
});

test("Tint refuses what is wrong with a kernel", async () => {
  const device = await openDevice("null");
  if (device === undefined) return;
  const [code] = implementationOf(gallery[0]!).kernels.map((kernel) => kernel.code);
  const [problem] = await device.compile([code!.replace("let i =", "let i: f32 =")]);
  device.close();
  expect(problem).toContain("i");
});
