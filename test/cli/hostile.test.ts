// The command line in the hands of someone who means it no good: what has no meaning is refused by name, and nothing that
// dlmc did not write is lost.
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test, vi } from "vitest";
import { dlmc } from "./run.js";

const directory = mkdtempSync(join(tmpdir(), "dlmc-hostile-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const common = { version: 1, embedding: { dim: 8 }, blocks: { mixer: { kind: "short_conv" } } };
const model = {
  ...common,
  state_space: { kind: "continuous_embedding", vocab_size: 7, seq_len: 6 },
  noise_schedule: { family: "cosine", discretization: { kind: "continuous" } },
  timesteps: { kind: "linspace", from: 0.99, to: 0.01, num_steps: 4 },
};
const ofTokens = {
  ...common,
  state_space: { kind: "absorbing", vocab_size: 7, seq_len: 6 },
  noise_schedule: { family: "log_linear" },
  timesteps: { kind: "linspace", num_steps: 3 },
};

function write(name: string, value: unknown): string {
  const path = join(directory, name);
  const text = typeof value === "string" || value instanceof Uint8Array;
  writeFileSync(path, text ? value : JSON.stringify(value, undefined, 2));
  return path;
}

const tiny = write("tiny.json", model);

describe("what has no meaning is exit 2 and named", () => {
  const cases: Record<string, { args: readonly string[]; says: readonly RegExp[] }> = {
    "a file in UTF-16": {
      args: ["inspect", write("utf16.json", Buffer.from(`\ufeff${JSON.stringify(model)}`, "utf16le"))],
      says: [/model\/encoding/, /UTF-8/],
    },
    "more steps than anyone has": {
      args: ["generate", tiny, "--synthetic", "1", "--steps", "1000001"],
      says: [/timesteps\/no-count/, /1 to 1000000/],
    },
    "a seed beyond what a number holds": {
      args: ["generate", tiny, "--synthetic", "1", "--seed", "18446744073709551616"],
      says: [/at most 9007199254740991/],
    },
    "a length beyond what a description holds": {
      args: ["generate", tiny, "--synthetic", "1", "--length", "16777217"],
      says: [/model\/range/, /16777216/],
    },
    "a flag of another target": {
      args: [
        "compile",
        tiny,
        "--synthetic",
        "1",
        "--target",
        "wgsl",
        "--fft",
        "dft",
        "-o",
        join(directory, "never"),
      ],
      says: [/flags\/target/, /--fft is for onnx, not for wgsl/],
    },
    "a batch for a target that takes any": {
      args: ["compile", tiny, "--synthetic", "1", "--batch", "2", "-o", join(directory, "never")],
      says: [/flags\/target/, /--batch is for wgsl/],
    },
    "a sampling graph of a model without one": {
      args: [
        "compile",
        write("tokens-model.json", ofTokens),
        "--synthetic",
        "1",
        "--sample",
        "-o",
        join(directory, "never"),
      ],
      says: [/compile\/sample/],
    },
    "a check of a directory without a repro": {
      args: ["check", mkdtempSync(join(directory, "bare-"))],
      says: [/check\/no-repro/, /name a model\.json/],
    },
    "a check of a directory with a description": {
      args: ["check", directory],
      says: [/check\/no-repro/],
    },
    "a report where a directory is": {
      args: ["inspect", tiny, "--schedule", "--synthetic", "1", "--svg", directory],
      says: [/output\/write/],
    },
  };
  for (const [name, { args, says }] of Object.entries(cases)) {
    test(name, async () => {
      const { code, out, err } = await dlmc(...args);
      expect({ code, out }).toEqual({ code: 2, out: "" });
      for (const pattern of says) expect(err).toMatch(pattern);
      expect(err).not.toMatch(/\n\s+at /);
    });
  }
});

describe("directories", () => {
  test("of a compiled bundle the target is its own, and nothing can be compiled again", async () => {
    const out = join(directory, "compiled");
    expect((await dlmc("compile", tiny, "--synthetic", "1", "-o", out)).code).toBe(0);
    const answer = await dlmc("generate", out, "--json");
    expect(JSON.parse(answer.out)).toMatchObject({ target: "onnx" });
    for (const flags of [
      ["--synthetic", "1"],
      ["--spectra", "load"],
      ["--target", "wgsl"],
    ]) {
      const { code, err } = await dlmc("generate", out, ...flags);
      expect(code, flags[0]).toBe(2);
      expect(err, flags[0]).toMatch(/flags\/bundle/);
    }
  });

  test("what dlmc did not write is never replaced", async () => {
    const own = join(directory, "own");
    mkdirSync(own);
    writeFileSync(join(own, "model.json"), JSON.stringify(model));
    writeFileSync(join(own, "manifest.json"), "{}");
    const file = write("kept.txt", "mine");
    for (const out of [own, join(own, "."), file, "", directory, "/"]) {
      const { code, err } = await dlmc("compile", tiny, "--synthetic", "1", "-o", out);
      expect(code, out).toBe(2);
      expect(err, out).toMatch(/output\/not-ours/);
    }
    expect(readdirSync(own)).toEqual(["manifest.json", "model.json"]);
    expect(readFileSync(file, "utf8")).toBe("mine");
    const empty = join(directory, "empty");
    mkdirSync(empty);
    const dangling = join(directory, "dangling");
    symlinkSync(join(directory, "nowhere"), dangling);
    for (const out of [empty, dangling])
      expect((await dlmc("compile", tiny, "--synthetic", "1", "-o", out)).code, out).toBe(0);
  });
});

test("a machine without a graphics adapter is an environment that lacks something, not bad input", async () => {
  vi.stubGlobal("navigator", { gpu: { requestAdapter: async () => null } });
  try {
    const path = write("no-adapter.json", model);
    const { code, err } = await dlmc("check", path, "--synthetic", "1", "--target", "wgsl");
    expect(err).toContain("error[environment/adapter]");
    expect(code).toBe(5);
  } finally {
    vi.unstubAllGlobals();
  }
});
