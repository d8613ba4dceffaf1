import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { seededNoise } from "../../src/diffusion/normal.js";
import { planSampler } from "../../src/diffusion/plan.js";
import { samplerPlanOf } from "../../src/diffusion/plans.js";
import { stepRunnerOf } from "../../src/runtime/any-runner.js";
import { type GenerationState, generate } from "../../src/runtime/driver.js";
import { planFromManifest } from "../../src/runtime/generate-tokens.js";
import { loadOnnx } from "../../src/runtime/onnx.js";
import { importOrt, type OrtModule } from "../../src/runtime/ort.js";
import { floatsOf, toTensor } from "../../src/runtime/ort-tensor.js";
import { worstRelative } from "../diffusion/golden.js";
import { tiny, tinySampler, writeTinyBundle } from "./tiny-bundle.js";

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "dlmc-runtime-"));
  writeTinyBundle(join(root, "good"));
});
afterAll(() => rmSync(root, { recursive: true }));

function edited(name: string, edit: (manifest: Record<string, unknown>) => void): string {
  writeTinyBundle(join(root, name), edit);
  return join(root, name);
}

describe("the ONNX runner", () => {
  it("runs a bundle as its graphs are written", async () => {
    const { manifest, ...loaded } = await loadOnnx(join(root, "good"));
    const runner = stepRunnerOf(loaded.runner);
    expect([runner.length, runner.dim, runner.vocabulary]).toEqual([3, 2, 2]);
    const plan = samplerPlanOf(planFromManifest(manifest));
    expect(plan).toEqual(planSampler(tinySampler));
    const fixed = { tokens: Int32Array.of(0, 1, 0), mask: Uint8Array.of(0, 1, 0) };
    const seen: GenerationState[] = [];
    for await (const state of generate(runner, { plan, noise: 5, batch: 2, fixed })) seen.push(state);
    await runner.dispose();

    const noise = seededNoise(5, 2, 3, 2);
    const given = (k: number) => Math.floor(k / 2) % 3 === 1;
    const clean = (x: ArrayLike<number>) =>
      Array.from(x, (value, k) => (given(k) ? tiny.table[2 + (k % 2)]! : value));
    let x = clean(noise(0));
    let previous = new Array<number>(12).fill(0);
    for (const [i, row] of plan.rows.entries()) {
      const x0 = x.map((value, k) => value * row.priorScale + 0.5 * previous[k]! + 10 * row.level);
      const draw = noise(i + 1);
      x = clean(
        x.map((value, k) => row.a * x0[k]! + row.b * value + row.c * previous[k]! + row.s * draw[k]!),
      );
      // Sums of a few float32 products: each rounding is 2^-24 of terms up to 100 against results near 1.
      expect(worstRelative(seen[i]!.x0, x0, 1)).toBeLessThan(1e-5);
      expect(worstRelative(seen[i]!.x, x, 1)).toBeLessThan(1e-5);
      previous = x0;
    }
    const last = seen.at(-1)!;
    expect(
      worstRelative(
        last.logits!,
        x.map((value) => value + 1),
        1,
      ),
    ).toBeLessThan(1e-5);
    const tokens = Array.from({ length: 6 }, (_, p) => (p % 3 === 1 || x[2 * p + 1]! > x[2 * p]! ? 1 : 0));
    expect(Array.from(last.tokens)).toEqual(tokens);
  });

  it("runs @time once for every level", async () => {
    const real = (await import("onnxruntime-node")) as unknown as OrtModule;
    const runs: string[] = [];
    const counting: OrtModule = {
      Tensor: real.Tensor,
      InferenceSession: {
        async create(location, options) {
          const session = await real.InferenceSession.create(location, options);
          const name = location.split("/").at(-1)!;
          return {
            run: (feeds) => {
              runs.push(name);
              return session.run(feeds);
            },
            release: () => session.release(),
          };
        },
      },
    };
    const { manifest, ...loaded } = await loadOnnx(join(root, "good"), { ort: counting });
    const runner = stepRunnerOf(loaded.runner);
    const plan = samplerPlanOf(planFromManifest(manifest, 4));
    for (let text = 0; text < 2; text++) for await (const _ of generate(runner, { plan }));
    expect(runs.filter((name) => name === "time.onnx")).toHaveLength(4);
    expect(runs.filter((name) => name === "step.onnx")).toHaveLength(8);
    await runner.dispose();
  });
});

describe("tensors", () => {
  it("are converted to the element type of the port", async () => {
    const ort = await importOrt();
    const values = Float64Array.of(1, -2, 0.1);
    const half = toTensor(ort, { name: "x", element: "float16", shape: [3] }, values, [3]);
    // 0.1 in binary16 is 0x2e66 = 1638 / 2^14.
    expect(Array.from(floatsOf(half))).toEqual([1, -2, 1638 / 2 ** 14]);
    const integers = toTensor(
      ort,
      { name: "tokens", element: "int64", shape: [2] },
      Int32Array.of(3, -1),
      [2],
    );
    expect(integers.data).toEqual(BigInt64Array.of(3n, -1n));
    expect(toTensor(ort, { name: "m", element: "bool", shape: [2] }, Uint8Array.of(1, 0), [2]).type).toBe(
      "bool",
    );
  });
});

describe("without ONNX Runtime", () => {
  it("the environment is to blame: exit code 5 and the command that mends it", async () => {
    await expect(importOrt("dlmc-no-such-package")).rejects.toMatchObject({
      exitCode: 5,
      diagnostics: [
        {
          code: "environment/onnxruntime",
          help: expect.stringContaining("npm install dlmc-no-such-package"),
        },
      ],
    });
  });
});

describe("what is wrong with a bundle is said", () => {
  it.each([
    ["format", (m: Record<string, unknown>) => void (m.format = "onnx"), /bundle\/manifest.*format "onnx"/],
    ["version", (m: Record<string, unknown>) => void (m.version = 2), /bundle\/manifest.*version 2/],
    [
      "step",
      (m: Record<string, unknown>) =>
        void (m.graphs = (m.graphs as { name: string }[]).filter((g) => g.name !== "step")),
      /bundle\/missing-graph.*"step"/,
    ],
    [
      "lengths",
      (m: Record<string, unknown>) =>
        void (m.graphs as object[]).push({
          name: "step",
          file: "step.L5.onnx",
          length: 5,
          inputs: [],
          outputs: [],
        }),
      /bundle\/length.*3, 5/,
    ],
  ])("%s", async (name, edit, message) => {
    await expect(loadOnnx(edited(name, edit))).rejects.toThrow(message);
  });

  it("a directory without a manifest, and another length", async () => {
    await expect(loadOnnx(join(root, "nowhere"))).rejects.toThrow(/bundle\/unreadable.*nowhere/);
    await expect(loadOnnx(join(root, "good"), { length: 7 })).rejects.toThrow(/length 3, not 7/);
  });

  it("a graph that ONNX Runtime refuses is exit code 3, and names the file", async () => {
    const directory = edited("damaged", () => {});
    writeFileSync(join(directory, "step.onnx"), "not a model");
    await expect(loadOnnx(directory)).rejects.toMatchObject({
      exitCode: 3,
      diagnostics: [{ code: "onnx/session", file: expect.stringContaining("step.onnx") }],
    });
  });

  it("no sampler in the manifest", async () => {
    const { manifest, runner } = await loadOnnx(edited("part", (m) => void delete m.sampler));
    expect(() => planFromManifest(manifest)).toThrow(/bundle\/no-sampler/);
    await runner.dispose();
  });
});
