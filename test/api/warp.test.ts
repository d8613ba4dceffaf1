// A time warp whose knots come with the weights: the plan has the checkpoint's, synthetic weights a straight line.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { loadModel, loadSchedule } from "../../src/api/load.js";
import { samplerPlan } from "../../src/api/sampler-source.js";

const directory = mkdtempSync(join(tmpdir(), "dlmc-warp-"));
afterAll(() => rmSync(directory, { recursive: true }));
const model = join(directory, "model.json");

function write(weights: object): void {
  const description = {
    version: 1,
    part: "sampler",
    state_space: { kind: "continuous_embedding", vocab_size: 9, seq_len: 4 },
    embedding: { dim: 2 },
    noise_schedule: { family: "karras", rho: 1, sigma_min: 1, sigma_max: 5, process: "variance_exploding" },
    timesteps: { kind: "warp", times: { from: "t" }, cdf: { from: "F" }, knots: 3, num_steps: 4 },
    sampler: { kind: "euler" },
    weights,
  };
  writeFileSync(model, JSON.stringify(description));
}

test("knots of the checkpoint", () => {
  const numbers = Float32Array.of(1, 2, 5, 0, 3, 4);
  const header = Buffer.from(
    JSON.stringify({
      t: { dtype: "F32", shape: [3], data_offsets: [0, 12] },
      F: { dtype: "F32", shape: [3], data_offsets: [12, 24] },
    }),
  );
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(header.length));
  writeFileSync(join(directory, "w.safetensors"), Buffer.concat([size, header, Buffer.from(numbers.buffer)]));
  write({ file: "w.safetensors" });
  const sigmas = samplerPlan(loadModel({ model })).rows.map(({ sigma2 }) => Math.sqrt(sigma2));
  // F^-1 of 4, 8/3, 4/3, 0.
  [5, 1 + 8 / 9, 1 + 4 / 9, 1].forEach((sigma, i) => {
    expect(sigmas[i]).toBeCloseTo(sigma, 12);
  });
});

test("named where there are no weights to take them from", () => {
  write({});
  expect(() => loadSchedule({ model })).toThrow(/its field timesteps takes "t", "F" from them/);
});

test("a straight line without one", () => {
  write({ file: "absent.safetensors" });
  const sigmas = samplerPlan(loadModel({ model, synthetic: 1 })).rows.map(({ sigma2 }) => Math.sqrt(sigma2));
  [5, 11 / 3, 7 / 3, 1].forEach((sigma, i) => {
    expect(sigmas[i]).toBeCloseTo(sigma, 12);
  });
});
