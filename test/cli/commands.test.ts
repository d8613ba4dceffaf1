// The command line as a script sees it: exit codes, output by schema, diagnostics with places, nothing half-written.
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
import { Ajv2020 } from "ajv/dist/2020.js";
import { afterAll, describe, expect, test } from "vitest";
import type { MemoryInspection, TrafficInspection } from "../../src/index.js";
import { dlmc } from "./run.js";

const directory = mkdtempSync(join(tmpdir(), "dlmc-cli-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const model = {
  version: 1,
  name: "tiny",
  state_space: {
    kind: "continuous_embedding",
    vocab_size: 7,
    seq_len: 6,
    vocabulary: { symbols: [..."abcdefg"] },
  },
  embedding: { dim: 8, normalization: "unit_sqrt_d" },
  noise_schedule: { family: "cosine", discretization: { kind: "continuous" } },
  timesteps: { kind: "linspace", from: 0.99, to: 0.01, num_steps: 4 },
  time_conditioning: { injection: "ada_ln", features: { kind: "sinusoidal", dim: 8 }, mlp: { dims: [8, 8] } },
  prediction_type: { x0_from: "softmax_embedding", prior_skip: "alpha_over_sigma2" },
  self_conditioning: { combine: "residual_concat_linear" },
  blocks: {
    repeat: 2,
    mixer: { kind: "long_conv", gating: { kind: "pre_post" }, filter: { kind: "explicit" } },
  },
};

function write(name: string, value: unknown): string {
  const path = join(directory, name);
  writeFileSync(path, typeof value === "string" ? value : JSON.stringify(value, undefined, 2));
  return path;
}

const tiny = write("tiny.json", model);

function validator(schema: string) {
  const ajv = new Ajv2020({ strict: false });
  return ajv.compile(JSON.parse(readFileSync(`schema/${schema}.schema.json`, "utf8")));
}

function expectSchema(schema: string, text: string): unknown {
  const value: unknown = JSON.parse(text);
  const validate = validator(schema);
  expect(validate(value), JSON.stringify(validate.errors)).toBe(true);
  return value;
}

describe("output by schema", () => {
  test("compile --json is the manifest on disk", async () => {
    const out = join(directory, "compiled");
    const { code, out: text } = await dlmc("compile", tiny, "--synthetic", "1", "-o", out, "--json");
    expect(code).toBe(0);
    expect(expectSchema("onnx-manifest", text)).toEqual(
      JSON.parse(readFileSync(join(out, "manifest.json"), "utf8")),
    );
  });

  test("inspect, its parameters and its schedule", async () => {
    expectSchema("inspect", (await dlmc("inspect", tiny, "--json")).out);
    const parameters = expectSchema("inspect", (await dlmc("inspect", tiny, "--parameters", "--json")).out);
    expect(parameters).toContainEqual({
      name: "blocks.1.mixer.filters.0.reverse.taps",
      shape: [6, 8],
      pointer: "/blocks/mixer/filter",
    });
    const schedule = expectSchema("inspect", (await dlmc("inspect", tiny, "--schedule", "--json")).out) as {
      levels: unknown[];
      steps: unknown[];
    };
    expect([schedule.levels.length, schedule.steps.length]).toEqual([4, 3]);
  });

  test("inspect of a schedule whose positions are at levels of their own", async () => {
    const model = "examples/ar-diffusion/model.json";
    const svg = join(directory, "levels.svg");
    const flags = ["inspect", model, "--schedule", "--synthetic", "1"];
    const { levels, steps } = expectSchema("inspect", (await dlmc(...flags, "--json")).out) as {
      levels: { positions?: { index: number }[] }[];
      steps: { positions?: { index: number; a: number }[] }[];
    };
    // 2023 values of s in strides of floor(2023 / 20) = 101: at the second position 0 is at 1899, and 22 on the line to (46, 1999).
    expect([levels.length, steps.length]).toEqual([21, 21]);
    expect(levels[1]!.positions!.map(({ index }) => index).slice(-1)).toEqual([
      Math.round(1999 - (100 * 24) / 46),
    ]);
    const { out } = await dlmc(...flags, "--svg", svg);
    expect(out).toContain('21 steps, 23 positions; " .:-=+*#%@" from noise to signal');
    expect(out).toMatch(/^ {6}1 +1899 +0\.0255245 .*1947/m);
    expect(readFileSync(svg, "utf8").match(/<rect /g)).toHaveLength(21 * 23);
  });

  test("inspect of a model whose settled blocks are kept", async () => {
    const model = "examples/sdar/model.json";
    const { cache } = expectSchema("inspect", (await dlmc("inspect", model, "--json")).out) as {
      cache: { block: number; bytes: number };
    };
    // Keys and values of two layers: 2 heads of 12 channels, all but the last block's positions, 4 bytes each.
    expect(cache).toEqual({ block: 4, bytes: 2 * 2 * (2 * 12) * (24 - 4) * 4 });
    expect((await dlmc("inspect", model)).out).toContain("settled blocks of 4 are kept: 7680 bytes a text");
  });

  test("inspect of what a WGSL bundle moves and holds", async () => {
    const view = async (flag: string) =>
      expectSchema("inspect", (await dlmc("inspect", tiny, flag, "--synthetic", "1", "--json")).out);
    const { traffic } = (await view("--traffic")) as TrafficInspection;
    expect(traffic.map(({ graph }) => graph)).toEqual(["denoise", "step"]);
    for (const { rows, ratio, bytesRead, bytesWritten, minimum } of traffic) {
      expect(rows.reduce((sum, row) => sum + row.bytesRead, 0)).toBe(bytesRead);
      expect(ratio).toBeCloseTo((bytesRead + bytesWritten) / minimum, 12);
    }
    const { arenas, memory } = (await view("--memory")) as MemoryInspection;
    for (const { rows, peak, values, graph } of memory) {
      expect(peak, graph).toBeLessThanOrEqual(values);
      for (const [i, a] of rows.entries()) {
        expect(a.offset + a.bytes).toBeLessThanOrEqual(arenas[a.arena]!);
        // Values of one arena that live at the same time do not overlap.
        for (const b of rows.slice(i + 1))
          if (a.arena === b.arena && b.first <= a.last && a.first <= b.last)
            expect(a.offset + a.bytes <= b.offset || b.offset + b.bytes <= a.offset).toBe(true);
      }
    }
    const both = await dlmc("inspect", tiny, "--traffic", "--memory");
    expect([both.code, both.err]).toEqual([2, expect.stringContaining("cannot be used with")]);
  });

  test("the resolved description reads back to itself", async () => {
    const first = (await dlmc("inspect", tiny, "--resolved")).out;
    const path = write("resolved.json", first);
    expect((await dlmc("inspect", path, "--resolved")).out).toBe(first);
  });

  test("explain fft", async () => {
    const report = expectSchema("explain-fft", (await dlmc("explain", "fft", tiny, "--json")).out) as {
      convolutions: { length: number }[];
    };
    expect(report.convolutions.map(({ length }) => length)).toEqual([6, 6]);
  });

  test("check", async () => {
    const { code, out } = await dlmc("check", tiny, "--synthetic", "1", "--json");
    expect(code).toBe(0);
    expectSchema("check-report", out);
  });

  test("generate gives the same text on the reference and on ONNX, and keeps the prompt", async () => {
    const run = async (target: string) => {
      const { code, out } = await dlmc(
        "generate",
        tiny,
        "--synthetic",
        "1",
        "--seed",
        "5",
        "--batch",
        "2",
        "--prompt",
        "a_c",
        "--target",
        target,
        "--json",
        "--trace",
      );
      expect(code).toBe(0);
      return expectSchema("generate", out) as {
        texts: { text: string; tokens: number[] }[];
        trace: { tokens: number[] }[];
      };
    };
    const [reference, onnx] = [await run("reference"), await run("onnx")];
    expect(onnx.texts.map(({ tokens }) => tokens)).toEqual(reference.texts.map(({ tokens }) => tokens));
    for (const { text } of onnx.texts) expect(text).toMatch(/^a.c...$/);
    expect(onnx.trace).toHaveLength(4);
  });

  test("another number of steps, another length", async () => {
    const { out } = await dlmc(
      "generate",
      tiny,
      "--synthetic",
      "1",
      "--steps",
      "7",
      "--length",
      "5",
      "--json",
    );
    const result = JSON.parse(out) as { steps: number; texts: { tokens: number[] }[] };
    expect([result.steps, result.texts[0]!.tokens.length]).toEqual([6, 5]);
  });
});

test("a compiled bundle generates what its description does", async () => {
  const out = join(directory, "bundle");
  await dlmc("compile", tiny, "--synthetic", "1", "-o", out);
  const fromBundle = await dlmc("generate", out, "--seed", "3", "--prompt", "b");
  expect(fromBundle.out).toBe(
    (await dlmc("generate", tiny, "--synthetic", "1", "--seed", "3", "--prompt", "b")).out,
  );
});

test("two runs give identical bytes", async () => {
  for (const name of ["one", "two"])
    await dlmc(
      "compile",
      tiny,
      "--synthetic",
      "1",
      "--sample",
      "--length",
      "6,9",
      "-o",
      join(directory, name),
    );
  const files = readdirSync(join(directory, "one"));
  expect(files).toContain("sample.L9.onnx");
  expect(readdirSync(join(directory, "two"))).toEqual(files);
  for (const file of files)
    expect(
      readFileSync(join(directory, "one", file)).equals(readFileSync(join(directory, "two", file))),
      file,
    ).toBe(true);
});

test("lower prints IR that opt reads back; its passes give what the target's pipeline gives", async () => {
  const text = (await dlmc("lower", tiny)).out;
  const path = write("tiny.ir", text);
  expect((await dlmc("opt", path)).out).toBe(text);
  const { code, out } = await dlmc("opt", path, "--passes", "pad-fft,choose-fft=right_angle,remove-dead");
  expect(code).toBe(0);
  expect(out).toContain("fft_spectrum");
});

describe("bad input is exit 2, one diagnostic with its place, and the old output stays", () => {
  const cases: Record<string, { args: string[]; says: RegExp[] }> = {
    "no description": {
      args: ["compile", join(directory, "absent.json"), "-o", "out"],
      says: [/model\/open/, /absent\.json/, /docs\/from-pytorch\.md/],
    },
    "weights where a description belongs": {
      args: ["inspect", write("only.safetensors", "")],
      says: [/model\/open/, /dlmc import .*only\.safetensors/],
    },
    "a directory where a description belongs": {
      args: ["compile", directory, "-o", join(directory, "never")],
      says: [/is a directory/, /name its model\.json/],
    },
    "no argument": { args: ["explain", "fft"], says: [/argument 'model'/, /dlmc explain fft --help/] },
    "import of a PyTorch file": {
      args: ["import", write("net.pt", "PK")],
      says: [/import\/pickle/, /torch\.load\("net\.pt", map_location="cpu", weights_only=True\)/],
    },
    "import with a flag that is no pair": {
      args: ["import", "--set", "heads", "x.safetensors"],
      says: [/NAME=VALUE/],
    },
    "not JSON": { args: ["inspect", write("broken.json", '{ "version": 1, ')], says: [/broken\.json:1:/] },
    "unknown key": {
      args: ["inspect", write("key.json", { ...model, embeding: {} })],
      says: [/embeding/, /embedding/, /key\.json:\d+:\d+/],
    },
    "no weights": {
      args: ["compile", tiny, "-o", join(directory, "never")],
      says: [/weights\/none/, /--synthetic/],
    },
    "weights that are not there": {
      args: [
        "compile",
        tiny,
        "--weights",
        join(directory, "none.safetensors"),
        "-o",
        join(directory, "never"),
      ],
      says: [/none\.safetensors/],
    },
    "weights that are no safetensors": {
      args: [
        "compile",
        tiny,
        "--weights",
        write("text.safetensors", "hello, this is no tensor file"),
        "-o",
        join(directory, "never"),
      ],
      says: [/text\.safetensors/],
    },
    "a prompt with an unknown symbol": {
      args: ["generate", tiny, "--synthetic", "1", "--prompt", "abz"],
      says: [/tokenizer\/unknown-symbol/, /z/],
    },
    "a prompt that is too long": {
      args: ["generate", tiny, "--synthetic", "1", "--prompt", "abcdefgab"],
      says: [/9 symbols/, /6 positions/],
    },
    "a tokens file with a word": {
      args: ["generate", tiny, "--synthetic", "1", "--tokens", write("tokens.json", '[1, "x"]')],
      says: [/generate\/tokens-file/, /entry 1/],
    },
    "an unknown target": { args: ["compile", tiny, "--target", "cuda", "-o", "out"], says: [/onnx/] },
    "a length of zero": { args: ["compile", tiny, "--length", "0", "-o", "out"], says: [/at least 1/] },
    "an unknown pass": {
      args: ["opt", join(directory, "tiny.ir"), "--passes", "pad-ftt"],
      says: [/pad-fft/],
    },
    "IR that breaks a rule": {
      args: [
        "opt",
        write("bad.ir", "graph @g(%x: f32[2]) {\n  %y = add %x, %z : f32[2]\n  return y = %y\n}\n"),
      ],
      says: [/bad\.ir:2:16/, /%z/],
    },
    "too old an ONNX Runtime": {
      args: ["compile", tiny, "--synthetic", "1", "--min-ort", "1.2", "-o", join(directory, "never")],
      says: [/min-ort/, /1\.2/],
    },
    "a part where a model is needed": {
      args: [
        "generate",
        write("mixer.json", {
          version: 1,
          part: "mixer",
          width: 8,
          seq_len: 6,
          mixer: { kind: "short_conv" },
        }),
        "--synthetic",
        "1",
      ],
      says: [/no-sampler/],
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

  test("an error leaves the old output as it was", async () => {
    const out = join(directory, "kept");
    expect((await dlmc("compile", tiny, "--synthetic", "1", "-o", out)).code).toBe(0);
    const before = readdirSync(out);
    expect((await dlmc("compile", tiny, "-o", out)).code).toBe(2);
    expect(readdirSync(out)).toEqual(before);
    expect((await dlmc("compile", tiny, "--synthetic", "1", "-o", out)).code).toBe(0);
    expect(readdirSync(out)).toEqual(before);
    expect(readdirSync(directory).filter((name) => name.startsWith(".kept"))).toEqual([]);
  });

  test("output under a file is refused by name", async () => {
    const file = write("file.txt", "");
    const { code, err } = await dlmc("compile", tiny, "--synthetic", "1", "-o", join(file, "out"));
    expect(code).toBe(2);
    expect(err).toMatch(/output\/write/);
  });

  test("a link as output is replaced, not followed", async () => {
    const [real, link] = [join(directory, "real"), join(directory, "link")];
    mkdirSync(real);
    symlinkSync(real, link);
    expect((await dlmc("compile", tiny, "--synthetic", "1", "-o", link)).code).toBe(0);
    expect(readdirSync(real)).toEqual([]);
  });
});
