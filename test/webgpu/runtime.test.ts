// Bundles as users run them: index.js on Dawn, against the float64 reference and ONNX Runtime, with the same seeds.

import { copyFileSync, cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openSession } from "../../src/api/generate.js";
import { type BundleProcess, bundle, bundleProcess, descriptionOf, root, sudoku } from "./bundle-process.js";

const puzzle = "432.5........256.33.6.2121..6.56...4";
let device: BundleProcess | undefined;
const removed: (() => void)[] = [];
const built = (options: Parameters<typeof bundle>[0]): string => {
  const { directory, remove } = bundle(options);
  removed.push(remove);
  return directory;
};
let tiny = "";

beforeAll(async () => {
  device = await bundleProcess("lavapipe");
  tiny = built({ model: descriptionOf("diffusion-lm"), synthetic: 1 });
}, 300_000);
afterAll(() => {
  device?.close();
  for (const remove of removed) remove();
});

interface Expected {
  readonly tokens: number[][];
  /** Of the final logits. */
  readonly margins: readonly number[];
}

async function expected(options: Parameters<typeof openSession>[0]): Promise<Expected> {
  const session = await openSession(options);
  try {
    const tokens: number[][] = [];
    let margins: number[] = [];
    for await (const state of session.states()) {
      tokens.push([...state.tokens]);
      if (state.margins) margins = [...state.margins];
    }
    return { tokens, margins };
  } finally {
    await session.close();
  }
}

describe("latents", () => {
  test.each([
    ["as they are", {}, {}],
    [
      "standardised, then decoded by queries",
      { mean: "channel", scale: "scalar" },
      {
        vocab_size: 9,
        queries: { kind: "learned", length: 7, dim: 8 },
        blocks: { mixer: { kind: "attention", heads: 2 }, cross_attention: { heads: 2 } },
      },
    ],
  ])(
    "%s: those of the reference, by either loop",
    { timeout: 300_000 },
    async (_, standardization, decoder) => {
      if (device === undefined) return;
      const model = join(mkdtempSync(join(tmpdir(), "dlmc-latents-")), "model.json");
      removed.push(() => rmSync(dirname(model), { recursive: true }));
      const text = {
        version: 1,
        state_space: { kind: "latent", seq_len: 5, standardization },
        embedding: { dim: 6, in_proj: [{ out: 12 }] },
        noise_schedule: { family: "cosine", discretization: { kind: "continuous" } },
        timesteps: { kind: "linspace", from: 0.99, to: 0.01, num_steps: 4 },
        time_conditioning: { injection: "ada_ln" },
        prediction_type: { target: "v", out_proj: [{ out: 6 }] },
        self_conditioning: { combine: "concat_linear", null: "learned" },
        blocks: { mixer: { kind: "attention", heads: 3 } },
        sampler: { kind: "ddpm" },
        ...("blocks" in decoder && { decoder }),
      };
      writeFileSync(model, JSON.stringify(text));
      const session = await openSession({ model, synthetic: 1, target: "reference", seed: 5 });
      let latents: readonly number[] = [];
      let tokens: readonly number[] = [];
      for await (const state of session.states()) {
        latents = [...(state.latents ?? [])];
        tokens = [...state.tokens];
        if (state.margins) expect(Math.min(...state.margins)).toBeGreaterThan(1e-3);
      }
      await session.close();
      const directory = built({ model, synthetic: 1 });
      for (const driver of [false, true]) {
        const actual = await device.generate({ directory, options: { seed: 5 }, driver });
        expect(actual.tokens.at(-1)).toEqual(tokens);
        expect(tokens).toHaveLength("blocks" in decoder ? 7 : 0);
        expect(actual.latents).toHaveLength(latents.length);
        // Four calls in float32 of a network whose numbers stay below 10.
        const worst = Math.max(...latents.map((value, i) => Math.abs(value - actual.latents![i]!)));
        expect(worst).toBeLessThan(1e-4);
      }
    },
  );
});

describe("tokens", () => {
  test("a trained model: every step as the reference and as ONNX", { timeout: 600_000 }, async () => {
    if (device === undefined) return;
    const options = { model: sudoku, seed: 7, prompt: puzzle };
    const reference = await expected({ ...options, target: "reference" });
    const onnx = await expected({ ...options, target: "onnx" });
    const directory = built({ model: sudoku });
    const actual = await device.generate({ directory, options: { seed: 7, prompt: puzzle } });
    expect(actual.tokens).toEqual(reference.tokens);
    expect(actual.tokens).toEqual(onnx.tokens);
    // No near tie decided it: float32 sums of six blocks leave margins alone to about 1e-4.
    expect(reference.margins.filter((margin) => margin < 1e-3)).toEqual([]);
    expect(actual.kernels!.length).toBeGreaterThan(5);
  });

  test("the same on another driver, without f16 and with narrow subgroups", {
    timeout: 600_000,
  }, async () => {
    const other = await bundleProcess("swiftshader");
    if (other === undefined) return;
    try {
      const options = { seed: 11, prompt: puzzle };
      const reference = await expected({ model: sudoku, target: "reference", ...options });
      const actual = await other.generate({ directory: built({ model: sudoku }), options });
      expect(actual.tokens).toEqual(reference.tokens);
    } finally {
      other.close();
    }
  });

  test("weights in halves: the tokens of float32, read as halves and as words", {
    timeout: 600_000,
  }, async () => {
    const directory = built({ model: sudoku, precision: "f16" });
    const { kernels, weights } = JSON.parse(readFileSync(join(directory, "manifest.json"), "utf8"));
    const forms = kernels.flatMap((kernel: { forms?: { features: string[] }[] }) => kernel.forms ?? []);
    expect(forms.length).toBeGreaterThan(3);
    expect(new Set(forms.flatMap((form: { features: string[] }) => form.features))).toEqual(
      new Set(["shader-f16"]),
    );
    const whole = JSON.parse(readFileSync(join(built({ model: sudoku }), "manifest.json"), "utf8")).weights;
    expect(weights.bytes / whole.bytes).toBeLessThan(0.55);
    const options = { seed: 11, prompt: puzzle };
    const reference = await expected({ model: sudoku, target: "reference", ...options });
    const other = await bundleProcess("swiftshader");
    try {
      // lavapipe has shader-f16, SwiftShader has not.
      for (const process of [device, other])
        if (process !== undefined) {
          const { tokens } = await process.generate({ directory, options });
          expect(tokens.at(-1)).toEqual(reference.tokens.at(-1));
        }
    } finally {
      other?.close();
    }
  });

  test("wide lines are added up by subgroups where the device has them, and without them elsewhere", {
    timeout: 600_000,
  }, async () => {
    const place = mkdtempSync(join(tmpdir(), "dlmc-wide-"));
    removed.push(() => rmSync(place, { recursive: true }));
    const model = join(place, "model.json");
    const wide = JSON.parse(readFileSync(join(root, "examples/s4d/model.json"), "utf8"));
    delete wide.$schema;
    wide.embedding.dim = 1028;
    wide.state_space.seq_len = 5;
    wide.time_conditioning = { injection: "none" };
    wide.blocks = {
      repeat: 1,
      norm: { kind: "rms" },
      mixer: { kind: "short_conv" },
      ffn: { kind: "dense", hidden: 32 },
    };
    writeFileSync(model, JSON.stringify(wide));
    const directory = built({ model, synthetic: 1 });
    const options = { seed: 3, steps: 2 };
    const reference = await expected({ model, synthetic: 1, target: "reference", ...options });
    const other = await bundleProcess("swiftshader");
    try {
      for (const [process, form] of [
        [device, true],
        [other, false],
      ] as const) {
        if (process === undefined) continue;
        const { tokens, kernels } = await process.generate({ directory, options });
        expect(kernels!.some((name) => name.includes(".subgroups."))).toBe(form);
        const differing = tokens
          .at(-1)!
          .filter((token, i) => token !== reference.tokens.at(-1)![i] && reference.margins[i]! > 1e-3);
        expect(differing).toEqual([]);
      }
    } finally {
      other?.close();
    }
  });

  test.each([
    ["diffusion-lm", 1],
    ["diffusion-lm", 2],
    ["langflow", 1],
  ])("%s, batch %i: the final tokens as the reference", { timeout: 400_000 }, async (name, batch) => {
    if (device === undefined) return;
    const options = { model: descriptionOf(name), synthetic: 1, seed: 3, steps: 4 };
    const reference = await expected({ ...options, target: "reference", batch });
    const directory = built({ model: options.model, synthetic: 1, batch });
    const actual = await device.generate({ directory, options: { seed: 3, steps: 4 } });
    const last = actual.tokens.at(-1)!;
    const differing = reference.tokens.at(-1)!.flatMap((token, i) => (token === last[i] ? [] : [i]));
    // Random weights make near ties: a token may differ where the two best logits are float32 noise apart.
    expect(differing.filter((i) => reference.margins[i]! > 1e-3)).toEqual([]);
    expect(differing.length).toBeLessThan(last.length / 4);
  });

  test("bundles of tokens have the decoders of their models: scores, a revision, one position at a time", {
    timeout: 300_000,
  }, async () => {
    if (device === undefined) return;
    const written = mkdtempSync(join(tmpdir(), "dlmc-decoders-"));
    removed.push(() => rmSync(written, { recursive: true }));
    for (const [example, change] of [
      ["sedd", {}],
      ["gidd", { self_correction: { max_steps: 2 } }],
      ["bd3-lm", {}],
    ] as const) {
      const description = JSON.parse(readFileSync(join(root, `examples/${example}/model.json`), "utf8"));
      const model = join(written, `${example}.json`);
      const { state_space, blocks, sampler } = description;
      const smaller = { seq_len: Math.min(8, state_space.seq_len) };
      Object.assign(description, { blocks: { ...blocks, repeat: 1 }, sampler: { ...sampler, ...change } });
      writeFileSync(model, JSON.stringify({ ...description, state_space: { ...state_space, ...smaller } }));
      const options = { seed: 3, steps: 3 };
      const reference = await expected({ model, synthetic: 1, target: "reference", ...options });
      const actual = await device.generate({ directory: built({ model, synthetic: 1 }), options });
      expect(actual.tokens, example).toEqual(reference.tokens);
    }
  });

  test("a state that stays on the device gives the tokens of one that does not", {
    timeout: 300_000,
  }, async () => {
    if (device === undefined) return;
    const options = { seed: 5, steps: 4 };
    const resident = await device.generate({ directory: tiny, options });
    const moved = await device.generate({ directory: tiny, options, driver: true });
    // The same kernels on the same numbers; the kernels come longest first, an order that no two runs share.
    expect(resident.tokens).toEqual(moved.tokens);
    expect(resident.margins).toEqual(moved.margins);
    expect(resident.kernels?.length).toBeGreaterThan(5);
    expect(new Set(resident.kernels)).toEqual(new Set(moved.kernels));
    expect(resident.tokens).not.toEqual(
      (await device.generate({ directory: tiny, options: { ...options, seed: 6 } })).tokens,
    );
  });
});

describe("what goes wrong says so and leaves nothing on the device", () => {
  /** A copy of the tiny bundle with one file changed. */
  const damaged = (change: (directory: string) => void): string => {
    const directory = join(mkdtempSync(join(tmpdir(), "dlmc-damaged-")), "bundle");
    cpSync(tiny, directory, { recursive: true });
    removed.push(() => rmSync(join(directory, ".."), { recursive: true }));
    change(directory);
    return directory;
  };
  const edit = (file: string, change: (bytes: Buffer) => Buffer) => (directory: string) =>
    writeFileSync(join(directory, file), change(readFileSync(join(directory, file))));
  const editManifest = (change: (manifest: { requires: object; kernels: { file: string }[] }) => void) =>
    edit("manifest.json", (bytes) => {
      const manifest = JSON.parse(bytes.toString());
      change(manifest);
      return Buffer.from(JSON.stringify(manifest));
    });
  const flip = (bytes: Buffer): Buffer => {
    const at = bytes.length - 5;
    bytes[at] = bytes[at]! ^ 1;
    return bytes;
  };
  const firstKernel = (): string =>
    JSON.parse(readFileSync(join(tiny, "manifest.json"), "utf8")).kernels[0].file;

  test.each([
    ["a flipped bit of the weights", "bundle/corrupt", () => edit("weights.safetensors", flip)],
    ["weights cut short", "bundle/truncated", () => edit("weights.safetensors", (b) => b.subarray(0, -100))],
    [
      "a changed kernel",
      "bundle/corrupt",
      () => edit(firstKernel(), (b) => Buffer.concat([b, Buffer.from("\n")])),
    ],
    ["a manifest cut short", "bundle/manifest", () => edit("manifest.json", (b) => b.subarray(0, 999))],
    [
      "another version's manifest",
      "bundle/manifest",
      () => editManifest((m) => Object.assign(m, { version: 2 })),
    ],
    [
      "a limit that the device lacks",
      "webgpu/limit",
      () =>
        editManifest((m) => Object.assign(m.requires, { limits: { maxStorageBufferBindingSize: 2 ** 40 } })),
    ],
    [
      "a feature that the device lacks",
      "webgpu/feature",
      () => editManifest((m) => Object.assign(m.requires, { features: ["shader-f16"] })),
    ],
  ] as const)("%s: %s", { timeout: 300_000 }, async (_, code, change) => {
    if (device === undefined) return;
    const { codes, left } = await device.loadFailure({ directory: damaged(change()) });
    expect({ codes, left }).toEqual({ codes: [code], left: 0 });
  });

  test("a missing file", async () => {
    if (device === undefined) return;
    const directory = damaged((at) => rmSync(join(at, "weights.safetensors")));
    expect(await device.loadFailure({ directory })).toMatchObject({ codes: ["bundle/unreadable"], left: 0 });
  });

  test("loading that is aborted half way", async () => {
    if (device === undefined) return;
    expect(await device.loadFailure({ directory: tiny, abortAfter: 3 })).toEqual({
      codes: [],
      message: "enough",
      left: 0,
    });
  });

  test("two generations at once, a lost device, use after destroy", { timeout: 300_000 }, async () => {
    if (device === undefined) return;
    expect(await device.misuse({ directory: tiny })).toMatchObject({
      second: { codes: ["generate/busy"] },
      afterwards: "generates",
      batch: { codes: ["generate/batch"] },
      lost: { codes: ["webgpu/device-lost"] },
      destroyed: { codes: ["webgpu/destroyed"] },
      left: 0,
    });
  });

  test("every kernel and weight is needed: the copy of a bundle that is whole loads", async () => {
    if (device === undefined) return;
    const whole = damaged((at) => copyFileSync(join(tiny, "manifest.json"), join(at, "manifest.json")));
    expect(await device.loadFailure({ directory: whole })).toMatchObject({ message: "it loaded", left: 0 });
  });
});
