// Levels per position from a checkpoint to tokens: a generation of a network whose answer is known is ancestral sampling
// written out for each position, on the reference and on ONNX Runtime, and finds the text that was noised.
import { describe, expect, test } from "vitest";
import { openSession } from "../../src/api/generate.js";
import { loadModel } from "../../src/api/load.js";
import { samplerPlan } from "../../src/api/sampler-source.js";
import { normalNoise } from "../../src/diffusion/normal.js";
import { deriveKey } from "../../src/diffusion/rng.js";
import { generate, samplerPlanOf, stepRunnerOf } from "../../src/runtime/index.js";
import { ancestral, bayesModel, cases, dim, embeddings, length } from "./bayes-positions.js";

const text = [3, 9, 0, 7, 4];
const batch = 2;
const draw = (k: number) => normalNoise(deriveKey(5), k, batch, length, dim);

describe.each(cases)("$name", ({ change, levels }) => {
  test.each([
    ["reference", 1e-9],
    ["onnx", 2e-4],
  ])("%s walks the written-out states to the text", async (target, within) => {
    const { model, remove } = bayesModel(change);
    const session = await openSession({ model, target, batch });
    try {
      const initial = draw(0);
      const started = (row: number, p: number, c: number): number => {
        const bar = levels[0]![p]!;
        const i = (row * length + p) * dim + c;
        return Math.fround(Math.sqrt(bar) * embeddings[text[p]!]![c]! + Math.sqrt(1 - bar) * initial[i]!);
      };
      const expected = Array.from({ length: batch }, (_, row) =>
        ancestral(
          levels,
          (p, c) => started(row, p, c),
          (k, p, c) => draw(k)[(row * length + p) * dim + c]!,
        ),
      );
      const noise = (k: number) =>
        k > 0
          ? draw(k)
          : initial.map((_, i) =>
              started(Math.floor(i / dim / length), Math.floor(i / dim) % length, i % dim),
            );
      let k = 0;
      for await (const state of generate(stepRunnerOf(session.runner), {
        plan: samplerPlanOf(session.plan),
        batch,
        noise,
      })) {
        if (state.done) {
          expect([...state.tokens]).toEqual([...text, ...text]);
          for (const { tokens } of expected) expect(tokens).toEqual(text);
          continue;
        }
        const wanted = expected.flatMap(({ states }) => states[k]!.flat());
        const worst = wanted.reduce((most, value, i) => Math.max(most, Math.abs(value - state.x[i]!)), 0);
        expect(worst, `after update ${k}`).toBeLessThan(within);
        k += 1;
      }
      expect(k).toBe(levels.length - 1);
    } finally {
      await session.close();
      remove();
    }
  });
});

test("a table of a checkpoint without columns is one of all positions", () => {
  const schedule = { ...cases[0].change.noise_schedule, positions: undefined };
  const { model, remove } = bayesModel({ ...cases[0].change, noise_schedule: schedule });
  try {
    expect(() => loadModel({ model })).toThrow("[6, 7]");
    const plan = samplerPlan(loadModel({ model, synthetic: 1 }));
    expect(plan.rows.every(({ positions }) => positions === undefined)).toBe(true);
    // The stand-in for what a checkpoint would hold: cos^2(pi/2 (i + 1) / 7).
    plan.rows.forEach(({ alphaBar }, k) => {
      expect(alphaBar).toBeCloseTo(Math.cos((Math.PI / 2) * ((6 - k) / 7)) ** 2, 12);
    });
  } finally {
    remove();
  }
});
