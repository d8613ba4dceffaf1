// What importing refuses, and that a layout of one's own needs no code.

import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, it } from "vitest";
import { loadModel } from "../../src/api/load.js";
import { importCheckpoint } from "../../src/index.js";
import { diagnosticsOf, f32, file } from "../weights/helpers.js";

const golden = (id: string): string =>
  fileURLToPath(new URL(`../goldens/${id}/weights.safetensors`, import.meta.url));
const work = mkdtempSync(join(tmpdir(), "dlmc-import-"));
afterAll(() => rmSync(work, { recursive: true, force: true }));
const out = join(work, "model.json");

/** A safetensors file of float32 zeros. */
function checkpoint(name: string, shapes: Readonly<Record<string, readonly number[]>>): string {
  let at = 0;
  const header = Object.fromEntries(
    Object.entries(shapes).map(([tensor, shape]) => {
      const bytes = 4 * shape.reduce((n, extent) => n * extent, 1);
      at += bytes;
      return [tensor, { dtype: "F32", shape, data_offsets: [at - bytes, at] }];
    }),
  );
  const path = join(work, name);
  writeFileSync(path, file(header, f32(...Array.from({ length: at / 4 }, (_, i) => i))));
  return path;
}

const refusal = (options: Parameters<typeof importCheckpoint>[0]) =>
  diagnosticsOf(() => importCheckpoint(options))[0]!;

const place = (name: string): string => `\${${name}}`;

const own = {
  name: "own",
  title: "A layout of one's own",
  source: "nowhere",
  recognise: { tensors: ["k", "d"] },
  values: { width: "extent('k', 1)", length: "extent('k', 0)" },
  description: {
    name: "own",
    part: "mixer",
    width: place("width"),
    seq_len: place("length"),
    mixer: {
      kind: "long_conv",
      in_proj: { kind: "none" },
      out_proj: { kind: "none" },
      filter: { kind: "explicit", span: "causal" },
    },
  },
  map: { "filters.0.taps": "k", "skip.0": "d" },
};

it("a layout file adds a system without code, under a prefix, beside tensors of others", () => {
  const path = checkpoint("own.safetensors", {
    "net.k": [5, 3],
    "net.d": [3],
    "other.0.w": [2],
    "other.1.w": [2],
  });
  const layout = join(work, "own.json");
  writeFileSync(layout, JSON.stringify(own));
  const imported = importCheckpoint({
    checkpoint: path,
    layout,
    prefix: "net.",
    out: join(work, "own-model.json"),
  });
  expect(imported).toMatchObject({ layout: "own", assumed: [] });
  const { store } = loadModel({ model: imported.model });
  expect([...store.read("skip.0").data]).toEqual([15, 16, 17]);
});

it("a damaged layout is refused field by field", () => {
  const layout = join(work, "bad.json");
  writeFileSync(layout, JSON.stringify({ ...own, recognise: {}, typo: 1 }));
  const codes = diagnosticsOf(() => importCheckpoint({ checkpoint: golden("s4d-a"), layout, out }));
  expect(codes.map(({ code }) => code)).toEqual(["layout/schema", "layout/schema"]);
  writeFileSync(
    layout,
    JSON.stringify({ ...own, recognise: { tensors: ["D"] }, values: { width: "extent('D' 0)" } }),
  );
  expect(refusal({ checkpoint: golden("s4d-a"), layout, out }).code).toBe("layout/expression");
  expect(refusal({ checkpoint: golden("s4d-a"), layout: "nothing", out }).code).toBe("import/no-layout");
});

it("says what an unknown checkpoint has and which layout is nearest", () => {
  const path = checkpoint("near.safetensors", {
    "kernel.C": [2, 2, 2],
    "kernel.log_dt": [2],
    "kernel.log_A_real": [2, 2],
    D: [2],
  });
  const problem = refusal({ checkpoint: path, out });
  expect(problem.code).toBe("import/unknown-layout");
  expect(problem.message).toContain("kernel.C");
  expect(problem.notes?.[0]?.message).toBe(
    "nearest is s4d: the checkpoint lacks kernel.A_imag, lacks output_linear.0.weight",
  );
});

it("MDLM and SEDD have equal tensors: config.json or --layout decides", () => {
  const problem = refusal({ checkpoint: golden("mdlm-a"), out });
  expect(problem.code).toBe("import/ambiguous-layout");
  expect(problem.help).toContain("--layout mdlm, or --layout sedd");
  const directory = join(work, "hf");
  mkdirSync(directory);
  copyFileSync(golden("mdlm-a"), join(directory, "model.safetensors"));
  writeFileSync(
    join(directory, "config.json"),
    JSON.stringify({ model_type: "mdlm", n_heads: 2, model_length: 8 }),
  );
  const imported = importCheckpoint({ checkpoint: directory, out: join(work, "hf.json") });
  expect(imported.layout).toBe("mdlm");
  expect(imported.assumed.map(({ name }) => name)).not.toContain("length");
});

it("names a missing size, a wrong one, and a value that the layout does not have", () => {
  const missing = refusal({ checkpoint: golden("langflow-a"), out });
  expect(missing.code).toBe("import/missing-value");
  expect(missing.message).toContain("number of attention heads");
  expect(missing.help).toContain("--set heads=VALUE");
  expect(refusal({ checkpoint: golden("langflow-a"), out, values: { heads: 3 } }).message).toBe(
    "3 heads do not divide the width 16",
  );
  expect(refusal({ checkpoint: golden("langflow-a"), out, values: { head: 2 } }).code).toBe(
    "import/unknown-value",
  );
  expect(existsSync(out)).toBe(false);
});

it("another model's config.json is evidence against a layout", () => {
  const directory = join(work, "qwen");
  mkdirSync(directory);
  copyFileSync(golden("dream-net-a"), join(directory, "model.safetensors"));
  writeFileSync(join(directory, "config.json"), JSON.stringify({ model_type: "qwen2" }));
  expect(refusal({ checkpoint: directory, out }).message).toContain("another model's");
});

it("PyTorch files: says how to convert, and where the weights are", () => {
  const path = join(work, "last.ckpt");
  writeFileSync(path, "PK\x03\x04");
  const problem = refusal({ checkpoint: path, out, layout: "mdlm" });
  expect(problem.code).toBe("import/pickle");
  expect(problem.help).toContain('state["ema"]["shadow_params"]');
  expect(problem.help).toContain('"last.safetensors"');
});

it("keeps what is there without --force, and leaves nothing behind", () => {
  const there = join(work, "there.json");
  writeFileSync(there, "mine");
  const options = { checkpoint: golden("s4d-a"), out: there };
  expect(refusal(options).code).toBe("output/exists");
  expect(readFileSync(there, "utf8")).toBe("mine");
  importCheckpoint({ ...options, force: true, length: 16 });
  expect(JSON.parse(readFileSync(there, "utf8"))).toMatchObject({ part: "mixer", seq_len: 16 });
  expect(readdirSync(work).filter((name) => name.startsWith("."))).toEqual([]);
});

it("shards: the description names the index, with weights in several files", () => {
  const directory = join(work, "shards");
  mkdirSync(directory);
  copyFileSync(checkpoint("a.safetensors", { k: [5, 3] }), join(directory, "a.safetensors"));
  copyFileSync(checkpoint("b.safetensors", { d: [3] }), join(directory, "b.safetensors"));
  const index = { weight_map: { k: "a.safetensors", d: "b.safetensors" } };
  writeFileSync(join(directory, "model.safetensors.index.json"), JSON.stringify(index));
  const layout = join(work, "own-shards.json");
  writeFileSync(layout, JSON.stringify(own));
  const { model } = importCheckpoint({ checkpoint: directory, layout, out: join(work, "shards.json") });
  expect(JSON.parse(readFileSync(model, "utf8")).weights.index).toBe("shards/model.safetensors.index.json");
  expect([...loadModel({ model }).store.read("skip.0").data]).toEqual([0, 1, 2]);
});
