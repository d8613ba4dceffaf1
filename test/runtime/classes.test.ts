// Classes of texts through whole generations: every target tells the network the same, guidance leaves them out, and what
// does not fit is refused.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { check } from "../../src/api/check.js";
import { openSession } from "../../src/api/generate.js";
import { planTokens } from "../../src/diffusion/index.js";
import { planSimplex } from "../../src/diffusion/simplex-plan.js";
import {
  type ClassInput,
  type DlmcError,
  decodeTokens,
  generateSimplex,
  type SimplexRunner,
  simplexRunnerOf,
  type TokenRunner,
  tokenRunnerOf,
  withClasses,
} from "../../src/runtime/index.js";
import { mainDriver } from "../emit-wgsl/device.js";
import { bundle, bundleProcess } from "../webgpu/bundle-process.js";

const directory = mkdtempSync(join(tmpdir(), "dlmc-classes-"));
afterAll(() => rmSync(directory, { recursive: true }));

const [length, vocabulary, batch] = [7, 13, 2];
const prompt = [null, 4, null, null, 9];
const fixed = {
  tokens: Int32Array.from({ length }, (_, i) => prompt[i] ?? 0),
  mask: Uint8Array.from({ length }, (_, i) => (prompt[i] == null ? 0 : 1)),
};
const size = { vocab_size: vocabulary, seq_len: length };
const cosine = { family: "cosine", discretization: { kind: "continuous" } };
const falling = { kind: "linspace", from: 0.95, to: 0.05, num_steps: 4 };
const empty = { token: 12 };
const guidance = { scale: 4, form: "mix" };

/** One model a state, each guided in its way and each with the class somewhere else. */
const models = {
  embeddings: {
    state_space: { kind: "continuous_embedding", ...size },
    noise_schedule: cosine,
    timesteps: falling,
    time_conditioning: { injection: "ada_ln", input: "alpha", features: { kind: "sinusoidal", dim: 8 } },
    self_conditioning: { combine: "add" },
    prediction_type: { x0_from: "softmax_embedding" },
    sampler: { kind: "ddpm", guidance: { ...guidance, empty } },
    conditioning: { kind: "fixed_positions", class: { count: 3, injection: "time_mlp" } },
  },
  rounded: {
    state_space: { kind: "continuous_embedding", ...size },
    noise_schedule: cosine,
    timesteps: falling,
    rounding_head: { kind: "linear", reads: "trunk" },
    sampler: { kind: "ddim", guidance },
    conditioning: { kind: "fixed_positions", class: { count: 3 } },
  },
  uniform: {
    state_space: { kind: "uniform", ...size },
    noise_schedule: { family: "log_linear" },
    timesteps: { kind: "linspace", num_steps: 5 },
    time_conditioning: { injection: "ada_ln", input: "t", features: { kind: "sinusoidal", dim: 8 } },
    prediction_type: { target: "plug_in" },
    sampler: { kind: "ancestral", guidance: { ...guidance, of: "step", empty } },
    conditioning: { kind: "fixed_positions", class: { count: 3, activation: "silu" } },
  },
  absorbing: {
    state_space: { kind: "absorbing", ...size },
    noise_schedule: { family: "log_linear" },
    timesteps: { kind: "linspace", num_steps: 5 },
    sampler: { kind: "confidence", temperature: 1, guidance },
    conditioning: { kind: "fixed_positions", class: { count: 3 } },
  },
  simplex: {
    state_space: { kind: "simplex", ...size },
    noise_schedule: cosine,
    timesteps: falling,
    self_conditioning: { combine: "mean", mix: "probabilities" },
    sampler: { kind: "renoise", guidance: { ...guidance, of: "probabilities", fed_back: "conditional" } },
    conditioning: { kind: "fixed_positions", class: { count: 3 } },
  },
};
type Name = keyof typeof models;
const names = Object.keys(models) as Name[];

const file = (name: Name): string => {
  const model = join(directory, `${name}.json`);
  const rest = { embedding: { dim: 12 }, blocks: { mixer: { kind: "attention", heads: 3 } } };
  writeFileSync(model, JSON.stringify({ version: 1, ...rest, ...models[name] }));
  return model;
};

async function generated(name: Name, target: string, classes?: ClassInput): Promise<number[]> {
  const session = await openSession({
    model: file(name),
    target,
    synthetic: 3,
    batch,
    seed: 4,
    tokens: prompt,
    ...(classes !== undefined && { classes }),
  });
  try {
    let last: number[] = [];
    for await (const { tokens } of session.states()) last = [...tokens];
    return last;
  } finally {
    await session.close();
  }
}

test.each(names)("%s: the reference and ONNX give the same tokens of a class", async (name) => {
  const mixed = await generated(name, "reference", [2, null]);
  expect(await generated(name, "onnx", [2, null])).toEqual(mixed);
  const row = (tokens: number[], b: number) => tokens.slice(b * length, (b + 1) * length);
  const [both, none] = [await generated(name, "reference", 2), await generated(name, "reference")];
  // Each text is of its own class, and no class is no first class.
  expect(row(both, 0)).toEqual(row(mixed, 0));
  expect(row(none, 1)).toEqual(row(mixed, 1));
  expect(both).not.toEqual(none);
  expect(await generated(name, "reference", 0)).not.toEqual(none);
  for (const b of [0, 1]) expect([1, 4].map((i) => row(mixed, b)[i])).toEqual([4, 9]);
});

test.each(names)("%s: check feeds a class on ONNX", async (name) => {
  const report = await check({ model: file(name), target: "onnx", synthetic: 1 });
  expect(report.agrees).toBe(true);
});

test("on WebGPU: given tokens, a class and guidance, as the reference", { timeout: 300_000 }, async () => {
  const process = await bundleProcess(mainDriver);
  if (process === undefined) return;
  try {
    for (const name of names) {
      const { directory: built, remove } = bundle({ model: file(name), synthetic: 3, batch });
      try {
        const options = { seed: 4, fixed, classes: [2, null] };
        const { tokens } = await process.generate({ directory: built, options });
        expect(tokens.at(-1), name).toEqual(await generated(name, "reference", [2, null]));
      } finally {
        remove();
      }
    }
  } finally {
    process.close();
  }
});

describe("what the network is told", () => {
  const classes = { count: 3, null_class: true };

  test("tokens: the classes given, then none", async () => {
    const seen: (number[] | undefined)[] = [];
    const runner: TokenRunner = {
      length,
      vocabulary,
      async logits({ classes: told }) {
        seen.push(told && [...told]);
        return new Float64Array(batch * length * vocabulary);
      },
      async dispose() {},
    };
    const plan = planTokens({
      state_space: { kind: "absorbing", vocab_size: vocabulary },
      noise_schedule: { family: "log_linear" },
      timesteps: { kind: "linspace", num_steps: 2 },
      sampler: { kind: "ancestral", final: "none", guidance: { scale: 1 } },
    });
    for (const known of [classes, { ...classes, null_class: false }]) {
      seen.length = 0;
      const classed = { ...plan, classes: known };
      const told = tokenRunnerOf(withClasses(runner, classed, [0, 2], batch));
      for await (const _ of decodeTokens(told, { plan: classed, batch }));
      expect(seen).toEqual(
        known.null_class
          ? [
              [0, 2],
              [3, 3],
            ]
          : [
              [0, 2],
              [0, 2],
            ],
      );
    }
  });

  test("a simplex: the same", async () => {
    const seen: (number[] | undefined)[] = [];
    const runner: SimplexRunner = {
      length,
      vocabulary,
      async predict({ classes: told }) {
        seen.push(told && [...told]);
        return new Float64Array(batch * length * vocabulary);
      },
      async dispose() {},
    };
    const plan = {
      ...planSimplex({
        state_space: { kind: "simplex", vocab_size: vocabulary },
        noise_schedule: { family: "cosine" },
        timesteps: { kind: "linspace", from: 0.9, to: 0.1, num_steps: 1 },
        sampler: { kind: "renoise" },
      }),
      guidance: { scale: 1 },
      classes,
    };
    const told = simplexRunnerOf(withClasses(runner, plan, [null, 1], batch));
    for await (const _ of generateSimplex(told, { plan, batch }));
    expect(seen).toEqual([
      [3, 1],
      [3, 3],
    ]);
  });

  test("what does not fit is refused, each with its code", () => {
    const runner = { length, vocabulary, logits: async () => new Float64Array(0), async dispose() {} };
    const code = (known: object, given: ClassInput | undefined): unknown => {
      try {
        return withClasses(runner, known, given, batch) === runner;
      } catch (error) {
        return (error as DlmcError).diagnostics[0]!.code;
      }
    };
    expect(code({}, undefined)).toBe(true);
    expect(code({}, null)).toBe(true);
    expect(code({}, 0)).toBe("generate/class-unread");
    expect(code({ classes: { ...classes, null_class: false } }, undefined)).toBe("generate/class-range");
    expect(code({ classes: { ...classes, null_class: false } }, [1, null])).toBe("generate/class-range");
    expect(code({ classes: { ...classes, null_class: false } }, [1, 3])).toBe("generate/class-range");
    expect(code({ classes }, [1])).toBe("generate/class-range");
    expect(code({ classes }, [1, 3])).toBe("generate/class-range");
    expect(code({ classes }, 3)).toBe("generate/class-range");
    expect(code({ classes }, -1)).toBe("generate/class-range");
    expect(code({ classes }, 0.5)).toBe("generate/class-range");
  });

  test.each(["reference", "onnx"])("a runner that is told no class says so: %s", async (target) => {
    const session = await openSession({ model: file("absorbing"), target, synthetic: 3 });
    try {
      const asked = tokenRunnerOf(session.runner).logits({
        batch: 1,
        tokens: new Int32Array(length),
        level: [0],
      });
      await expect(asked).rejects.toMatchObject({ diagnostics: [{ code: "generate/class-missing" }] });
    } finally {
      await session.close();
    }
  });
});
