// Given positions that are noised to the level of every call: alpha e + sigma noise, the noise of call k being draw k of
// the seed's stream 1; clean at the end.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openSession } from "../../src/api/generate.js";
import { normalNoise } from "../../src/diffusion/normal.js";
import { deriveKey } from "../../src/diffusion/rng.js";
import {
  generate,
  generateTokens,
  type StepInputs,
  type StepRunner,
  samplerPlanOf,
} from "../../src/runtime/index.js";

const [length, dim, batch, seed] = [5, 4, 2, 9];
const description = {
  version: 1,
  state_space: { kind: "continuous_embedding", vocab_size: 11, seq_len: length },
  embedding: { dim, normalization: "unit_sqrt_d" },
  noise_schedule: { family: "cosine", discretization: { kind: "continuous" } },
  timesteps: { kind: "linspace", from: 0.98, to: 0.01, num_steps: 4 },
  blocks: { mixer: { kind: "attention", heads: 2 } },
  conditioning: { kind: "fixed_positions", mode: "renoised" },
  sampler: { kind: "ddpm" },
};
const fixed = {
  tokens: Int32Array.of(3, 0, 7, 0, 0),
  mask: Uint8Array.of(1, 0, 1, 0, 0),
};

async function opened<T>(
  target: string,
  change: object,
  body: (session: Awaited<ReturnType<typeof openSession>>) => Promise<T>,
): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), "dlmc-renoised-"));
  const model = join(directory, "model.json");
  writeFileSync(model, JSON.stringify({ ...description, ...change }));
  const session = await openSession({ model, target, synthetic: 2, batch });
  try {
    return await body(session);
  } finally {
    await session.close();
    rmSync(directory, { recursive: true });
  }
}

test.each([
  ["round", {}],
  ["denoise", { prediction_type: { x0_from: "softmax_embedding" } }],
])("the network sees given positions at its level, and the last state is as the plan ends: %s", (final, change) =>
  opened("reference", change, async ({ runner, plan }) => {
    const steps = samplerPlanOf(plan);
    const seen: StepInputs[] = [];
    const options = {
      plan: steps,
      batch,
      noise: seed,
      fixed,
      beforeStep: (inputs: StepInputs) => {
        seen.push(inputs);
        return undefined;
      },
    };
    const states = [];
    for await (const state of generate(runner as StepRunner, options)) states.push(state);
    const embedded = await embeddings(runner as StepRunner);
    const at = (call: number, row: number, position: number): number[] => {
      const point = steps.rows[call] ?? steps.finalRow;
      const noise = normalNoise(deriveKey(seed, 1), call, batch, length, dim);
      return Array.from({ length: dim }, (_, c) => {
        const i = (row * length + position) * dim + c;
        if (point === undefined) return embedded[i]!;
        return Math.sqrt(point.alphaBar) * embedded[i]! + Math.sqrt(point.sigma2) * noise[i]!;
      });
    };
    const read = (x: ArrayLike<number>, row: number, position: number): number[] =>
      Array.from({ length: dim }, (_, c) => x[(row * length + position) * dim + c]!);
    for (const row of [0, 1])
      for (const position of [0, 2]) {
        seen.forEach((inputs, call) => {
          expect(read(inputs.fixedX, row, position)).toEqual(at(call, row, position));
          // The first state is float32, as the noise is.
          read(inputs.x, row, position).forEach((value, c) => {
            expect(value).toBeCloseTo(at(call, row, position)[c]!, 6);
          });
        });
        expect(read(states.at(-1)!.x, row, position)).toEqual(at(seen.length, row, position));
      }
    expect(seen).toHaveLength(final === "round" ? 4 : 3);
    expect(states.at(-1)!.tokens[2]).toBe(7);
  }));

const embeddings = (runner: StepRunner) =>
  runner.embed(
    Int32Array.from({ length: batch * length }, (_, i) => fixed.tokens[i % length]!),
    batch,
  );

test("the same tokens on the reference and on ONNX, and others than with clean positions", async () => {
  const tokens = (target: string, change = {}) =>
    opened(target, change, async ({ runner, plan }) => {
      let last: Int32Array | undefined;
      for await (const state of generateTokens(runner, { plan, batch, noise: seed, fixed }))
        last = state.tokens;
      return [...last!];
    });
  const reference = await tokens("reference");
  expect(await tokens("onnx")).toEqual(reference);
  expect(await tokens("reference", { conditioning: { kind: "fixed_positions" } })).not.toEqual(reference);
});
