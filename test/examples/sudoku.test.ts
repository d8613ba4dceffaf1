// The trained example: the description is the PyTorch module (float64 against its float64 run, step by step), and
// ONNX Runtime solves the held-out puzzles as the reference does.
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { openSession } from "../../src/api/generate.js";
import {
  type GenerationState,
  generate,
  generateToEnd,
  type StepInputs,
  samplerPlanOf,
  seededNoise,
  stepRunnerOf,
} from "../../src/runtime/index.js";
import { openCheckpoint } from "../../src/weights/open.js";

const model = "examples/sudoku/model.json";
const golden = openCheckpoint("examples/sudoku/golden.safetensors");
const puzzles = readFileSync("examples/sudoku/puzzles.jsonl", "utf8")
  .trim()
  .split("\n")
  .map((line) => JSON.parse(line) as { puzzle: string; solution: string });

async function openGaussian(target: string) {
  const { plan, runner, ...session } = await openSession({ model, target });
  return { ...session, plan: samplerPlanOf(plan), runner: stepRunnerOf(runner) };
}

/** Largest difference relative to the largest entry. */
function relative(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  expect(actual.length).toBe(expected.length);
  let difference = 0;
  let size = 0;
  for (let i = 0; i < expected.length; i++) {
    const apart = Math.abs(actual[i]! - expected[i]!);
    if (!(apart <= difference)) difference = apart;
    size = Math.max(size, Math.abs(expected[i]!));
  }
  return difference / size;
}

describe("PyTorch's own numbers", () => {
  const given = golden.read("given");
  const solution = golden.read("solution");
  const [batch, length] = golden.info("given")!.shape as [number, number];
  const noise = golden.read("noise");
  const fixed = { tokens: Int32Array.from(solution), mask: Uint8Array.from(given) };

  test("the reference follows PyTorch's float64 run: every state, every prediction, the final logits and tokens", async () => {
    const session = await openGaussian("reference");
    const inputs: StepInputs[] = [];
    const states: GenerationState[] = [];
    for await (const state of generate(session.runner, {
      plan: session.plan,
      batch,
      fixed,
      noise: () => noise,
      beforeStep: (step) => {
        inputs.push(step);
        return undefined;
      },
    }))
      states.push(state);
    const size = batch * length * session.runner.dim;
    const [z, x0, logits] = ["z.f64", "x0.f64", "logits.f64"].map((name) => golden.read(name)) as [
      Float64Array,
      Float64Array,
      Float64Array,
    ];
    inputs.forEach((step, i) => {
      expect(relative(step.x, z.subarray(i * size, (i + 1) * size))).toBeLessThan(1e-9);
      expect(relative(states[i]!.x0, x0.subarray(i * size, (i + 1) * size))).toBeLessThan(1e-9);
    });
    const last = states[states.length - 1]!;
    expect(
      relative(last.logits!, logits.subarray(inputs.length * batch * length * session.runner.vocabulary)),
    ).toBeLessThan(1e-9);
    expect([...last.tokens]).toEqual([...golden.read("final.f64")]);
  });

  test("ONNX Runtime ends with the tokens of PyTorch's float32 run", async () => {
    const session = await openGaussian("onnx");
    const last = await generateToEnd(session.runner, {
      plan: session.plan,
      batch,
      fixed,
      noise: () => Float32Array.from(noise),
    });
    expect([...last.tokens]).toEqual([...golden.read("final.f32")]);
    await session.close();
  });
});

/** Final texts of the first `count` puzzles, from the counter generator's noise. */
async function solve(target: string, count: number, size: number): Promise<string[]> {
  const session = await openGaussian(target);
  const { length, dim } = session.runner;
  const noise = seededNoise(0, puzzles.length, length, dim)(0);
  const texts: string[] = [];
  for (let start = 0; start < count; start += size) {
    const group = puzzles.slice(start, Math.min(count, start + size));
    const encoded = group.map(({ puzzle }) => session.tokenizer!.encode(puzzle, length));
    const fixed = {
      tokens: Int32Array.from(encoded.flatMap(({ tokens }) => [...tokens])),
      mask: Uint8Array.from(encoded.flatMap(({ mask }) => [...mask])),
    };
    const slice = noise.slice(start * length * dim, (start + group.length) * length * dim);
    const last = await generateToEnd(session.runner, {
      plan: session.plan,
      batch: group.length,
      fixed,
      noise: () => slice,
    });
    group.forEach((_, i) => {
      texts.push(session.tokenizer!.decode(last.tokens.subarray(i * length, (i + 1) * length)));
    });
  }
  await session.close();
  return texts;
}

test("at least 90 % of the 500 held-out puzzles are solved, and the reference gives the same answers", async () => {
  expect(puzzles).toHaveLength(500);
  const onnx = await solve("onnx", 500, 50);
  const solved = onnx.filter((text, i) => text === puzzles[i]!.solution).length;
  expect(solved).toBeGreaterThanOrEqual(450);
  expect(await solve("reference", 8, 8)).toEqual(onnx.slice(0, 8));
});
