// Noise whose numbers come with the weights: the plan has the checkpoint's.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { loadSchedule } from "../../src/api/load.js";
import { planOfModel } from "../../src/api/sampler-source.js";
import { likelihoods, transitions } from "../../src/diffusion/discrete/noising.js";
import { isTokenPlan, type TokenPlan } from "../../src/diffusion/index.js";

const directory = mkdtempSync(join(tmpdir(), "dlmc-state-"));
afterAll(() => rmSync(directory, { recursive: true }));
const model = join(directory, "model.json");

/** A description of this state, with a checkpoint of one tensor. */
function write(state: object, name: string, shape: readonly number[], numbers: readonly number[]): void {
  const values = Float32Array.from(numbers);
  const entry = { dtype: "F32", shape, data_offsets: [0, values.byteLength] };
  const header = Buffer.from(JSON.stringify({ [name]: entry }));
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(header.length));
  const file = "w.safetensors";
  writeFileSync(join(directory, file), Buffer.concat([size, header, Buffer.from(values.buffer)]));
  const description = {
    version: 1,
    part: "sampler",
    state_space: { vocab_size: 3, seq_len: 4, ...state },
    embedding: { dim: 2 },
    noise_schedule: { family: "log_linear" },
    timesteps: { kind: "linspace", num_steps: 3 },
    weights: { file },
  };
  writeFileSync(model, JSON.stringify(description));
}

function plan(): TokenPlan {
  const made = planOfModel(loadSchedule({ model }));
  if (!isTokenPlan(made)) throw new Error("the state is not discrete");
  return made;
}

test("rates: all tokens become the second one", () => {
  const state = { kind: "matrix", transition: { kind: "rates", rates: { from: "R" } } };
  write(state, "R", [3, 3], [0, 1, 0, 0, 0, 0, 0, 1, 0]);
  const { process } = plan();
  if (process.kind !== "matrix") throw new Error("the process has no matrices");
  expect([...process.limit]).toEqual([0, 1, 0].map((p) => expect.closeTo(p, 12)));
});

test("nearest neighbours of embeddings: 0 and 2 lie together, 1 is nearest to 2", () => {
  const state = {
    kind: "matrix",
    transition: { kind: "nearest", neighbours: 1, embeddings: { from: "E" } },
  };
  write(state, "E", [3, 2], [0, 0, 9, 9, 1, 1]);
  const { process, rows } = plan();
  const row = rows[1]!;
  const [toOne, toTwo] = [1, 2].map((x) => transitions(process, row, row.to, x, new Float64Array(3))[0]!);
  expect(toTwo!).toBeGreaterThan(3 * toOne!);
  expect(toOne!).toBeGreaterThan(0);
});

test("exponents of a schedule per token, the mask's left out", () => {
  const token_schedule = { kind: "exponents", exponents: { from: "w" } };
  write({ kind: "absorbing", mask_token_id: 0, token_schedule }, "w", [2], [0.5, 2]);
  const { process, rows } = plan();
  const { sigma2 } = rows[1]!;
  const masked = likelihoods(process, rows[1]!, 0, new Float64Array(3));
  expect([...masked]).toEqual([1, sigma2 ** 0.5, sigma2 ** 2].map((m) => expect.closeTo(m, 14)));
});

test("a tensor of another shape is refused by name", () => {
  const state = { kind: "matrix", transition: { kind: "rates", rates: { from: "R" } } };
  write(state, "R", [3, 2], [0, 1, 0, 0, 0, 0]);
  expect(plan).toThrow(/state_space\.transition\.rates/);
});
