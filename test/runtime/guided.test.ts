// A guided generation from its start to its last call: whatever runs the network, what is left out of the second call are
// the given positions of this text.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openSession } from "../../src/api/generate.js";
import { generateToEnd, samplerPlanOf, stepRunnerOf } from "../../src/runtime/index.js";

const [length, dim, batch, scale] = [5, 4, 2, 1.5];
const description = {
  version: 1,
  state_space: { kind: "continuous_embedding", vocab_size: 11, seq_len: length },
  embedding: { dim, normalization: "unit_sqrt_d" },
  noise_schedule: { family: "cosine", discretization: { kind: "continuous" } },
  timesteps: { kind: "linspace", from: 0.98, to: 0.01, num_steps: 4 },
  prediction_type: { x0_from: "softmax_embedding" },
  blocks: { mixer: { kind: "attention", heads: 2 } },
  self_conditioning: { combine: "add" },
  conditioning: { kind: "fixed_positions" },
};
// Each text of the batch has positions of its own.
const fixed = {
  tokens: Int32Array.of(3, 0, 7, 0, 0, 0, 0, 0, 5, 2),
  mask: Uint8Array.of(1, 0, 1, 0, 0, 0, 0, 0, 1, 1),
};

async function opened<T>(
  target: string,
  guidance: object | undefined,
  body: (session: Awaited<ReturnType<typeof openSession>>) => Promise<T>,
): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), "dlmc-guided-"));
  const model = join(directory, "model.json");
  writeFileSync(model, JSON.stringify({ ...description, sampler: { kind: "ddim", guidance } }));
  const session = await openSession({ model, target, synthetic: 2, batch });
  try {
    return await body(session);
  } finally {
    await session.close();
    rmSync(directory, { recursive: true });
  }
}

const generated = (target: string) =>
  opened(target, { scale }, ({ runner, plan }) =>
    generateToEnd(stepRunnerOf(runner), { plan: samplerPlanOf(plan), batch, noise: 9, fixed }),
  );

test.each(["reference", "onnx"])("the last call is guided: %s", async (target) => {
  const { x, x0, logits } = await generated(target);
  const ask = (free: boolean) =>
    opened("reference", undefined, async ({ runner, plan }) => {
      // Of given positions the second call knows neither the rows nor what was predicted there.
      const told = (rows: typeof x) =>
        rows.map((v, i) => (free && fixed.mask[Math.floor(i / dim)] === 1 ? 0 : v));
      const point = samplerPlanOf(plan).finalRow!;
      const inputs = { batch, x: told(x), previousX0: told(x0), fixedMask: fixed.mask, point };
      return (await stepRunnerOf(runner).denoise!(inputs)).logits;
    });
  const [l, u] = [await ask(false), await ask(true)];
  const expected = Array.from(l, (v, i) => u[i]! + (scale + 1) * (v - u[i]!));
  const largest = Math.max(...expected.map(Math.abs));
  // It is not what the network says with the given tokens alone.
  expect(Math.max(...expected.map((v, i) => Math.abs(v - l[i]!)))).toBeGreaterThan(0.01 * largest);
  expect(logits).toHaveLength(expected.length);
  const worst = Math.max(...expected.map((v, i) => Math.abs(v - logits![i]!)));
  expect(worst).toBeLessThanOrEqual((target === "reference" ? 1e-12 : 2e-5) * largest);
});

test("every target gives the same tokens", async () => {
  expect([...(await generated("onnx")).tokens]).toEqual([...(await generated("reference")).tokens]);
});
