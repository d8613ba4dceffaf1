// Imported checkpoints give upstream's numbers: the committed cases' weights through their layout, on the reference.

import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Ajv2020 } from "ajv/dist/2020.js";
import { afterAll, describe, expect, it } from "vitest";
import { type LoadedModel, loadModel } from "../../src/api/load.js";
import { planOfModel } from "../../src/api/sampler-source.js";
import { floats } from "../../src/conformance/goldens/backends.js";
import {
  firstTensor,
  type GoldenCase,
  numberOption,
  readCase,
  tensorOf,
} from "../../src/conformance/goldens/golden-case.js";
import { swapLastAxes } from "../../src/conformance/goldens/layout.js";
import { readingOf } from "../../src/diffusion/discrete/reading.js";
import { isTokenPlan, levelFromGamma, priorScale } from "../../src/diffusion/index.js";
import { levelFromTotalNoise } from "../../src/diffusion/noise-level.js";
import { importCheckpoint, importLayouts } from "../../src/index.js";
import { evaluate } from "../../src/ir/evaluate.js";
import { type Tensor, tensor } from "../../src/ir/tensor.js";
import { renamed } from "./checkpoints.js";

const goldens = fileURLToPath(new URL("../goldens", import.meta.url));
const work = mkdtempSync(join(tmpdir(), "dlmc-import-"));
afterAll(() => rmSync(work, { recursive: true, force: true }));

interface Case {
  readonly id: string;
  readonly layout: string;
  readonly graph?: string;
  readonly output?: string;
  /** The tensor of the case that the output is. */
  readonly out?: string;
  /** Upstream's released checkpoints put this before the names of the case. */
  readonly prefix?: string;
  /** What --set says besides the case's arguments. */
  readonly set?: Readonly<Record<string, string | number | boolean>>;
  /** The case's numbers are [B, H, L]. */
  readonly channelsFirst?: true;
  /** Upstream's network ends with the log scores, ours with what they are read from. */
  readonly logScores?: true;
}

const cases: readonly Case[] = [
  { id: "langflow-a", layout: "langflow", output: "logits" },
  { id: "elf-a", layout: "elf", output: "x0", set: { mode: "always" } },
  { id: "elf-a", layout: "elf", output: "logits", out: "out.decoder_logits", set: { mode: "always" } },
  { id: "dlm-net-a", layout: "diffusion-lm", output: "x0" },
  { id: "dlm-net-a", layout: "diffuseq", output: "x0" },
  { id: "mdlm-a", layout: "mdlm", output: "logits" },
  // The network of the next two is MDLM's; one block as long as the sequence sees what a full mask sees.
  { id: "mdlm-a", layout: "duo", output: "logits", prefix: "backbone." },
  { id: "mdlm-a", layout: "bd3-lm", output: "logits", prefix: "backbone.", set: { block: 8 } },
  { id: "sedd-net-a", layout: "sedd", output: "logits", logScores: true },
  { id: "llada-net-a", layout: "llada", output: "logits" },
  { id: "llada2-net-a", layout: "llada2", output: "logits" },
  { id: "diffusion-gemma-net-a", layout: "diffusion-gemma", output: "logits" },
  { id: "dream-net-a", layout: "dream", output: "logits", out: "out.shifted" },
  { id: "hyena-a", layout: "hyena", graph: "mixer", output: "y" },
  { id: "m2-mixer-a", layout: "m2-bert", graph: "mixer", output: "y" },
  { id: "m2-layer-a", layout: "m2-bert", graph: "block", output: "y" },
  { id: "s4d-a", layout: "s4d", graph: "mixer", output: "y", channelsFirst: true },
  { id: "s4-dplr-a", layout: "s4", graph: "mixer", output: "y", channelsFirst: true },
  { id: "sgconv-a", layout: "sgconv", graph: "mixer", output: "y", channelsFirst: true },
  { id: "longconv-a", layout: "long-conv", graph: "mixer", output: "y", channelsFirst: true },
  { id: "gfnet-a", layout: "gfnet", graph: "mixer", output: "y" },
  { id: "afno-a", layout: "afno", graph: "mixer", output: "y" },
];

/** A checkpoint directory as upstream would publish it: the weights, and the case's arguments as config.json. */
function checkpointOf(golden: GoldenCase, prefix: string): string {
  const directory = mkdtempSync(join(work, golden.id));
  const weights = readFileSync(join(golden.directory, "weights.safetensors"));
  writeFileSync(join(directory, "model.safetensors"), renamed(weights, prefix));
  const config = {
    ...(golden.facts.args as object),
    ...(golden.id === "mdlm-a" && { time_conditioning: true }),
  };
  writeFileSync(join(directory, "config.json"), JSON.stringify(config));
  return directory;
}

function inputsOf(golden: GoldenCase, channelsFirst: boolean): Record<string, Tensor> {
  const x = firstTensor(golden, "in.z", "in.x", "in.u", "in.hidden_states");
  const tokens = firstTensor(golden, "in.tokens");
  const level = firstTensor(golden, "in.gamma", "in.t", "in.timesteps", "in.sigma");
  const rows = (x ?? tokens)!.shape[0]!;
  const levels = Array.from({ length: rows }, (_, i) => level?.data[level.data.length === 1 ? 0 : i] ?? 0);
  const states = x !== undefined && channelsFirst ? swapLastAxes(x) : x;
  const previous = firstTensor(golden, "in.x_self_cond", "in.x_sc", "in.x_prev");
  const logits = firstTensor(golden, "in.self_cond_logits");
  return {
    ...(states && { x: floats(states.shape, states.data) }),
    ...(tokens && { tokens: tensor("i32", tokens.shape, Float64Array.from(tokens.data)) }),
    level: floats([rows], levels),
    prior_scale: floats(
      [rows],
      levels.map((gamma) => priorScale(levelFromGamma(gamma))),
    ),
    ...(previous && { self_cond: floats(previous.shape, previous.data) }),
    ...(logits && {
      self_cond_logits: floats(logits.shape, logits.data),
      self_cond_mask: tensor("bool", [rows], new Float64Array(rows).fill(1)),
      self_cond_scale: floats([rows], new Float64Array(rows).fill(1 / numberOption(golden, "temperature")!)),
    }),
  };
}

/** ln p(y) / p(x) at every position, as the imported description's sampler reads the logits. */
function logScoresOf(model: LoadedModel, logits: Float64Array, inputs: Record<string, Tensor>): Float64Array {
  const plan = planOfModel(model);
  if (!isTokenPlan(plan)) throw new Error("the model's state is not discrete");
  const n = plan.process.vocabulary;
  const reading = readingOf(plan.process, plan.prediction);
  const { data: tokens, shape } = inputs.tokens!;
  const scores = new Float64Array(logits.length);
  for (let at = 0; at < tokens.length; at++) {
    const row = Array.from(logits.subarray(at * n, (at + 1) * n));
    const noise = levelFromTotalNoise(inputs.level!.data[Math.floor(at / shape[1]!)]!);
    reading.logScores(row, tokens[at]!, noise, scores.subarray(at * n, (at + 1) * n));
  }
  return scores;
}

describe.each(cases)("$layout imports $id", ({
  id,
  layout,
  graph = "denoise",
  output = "y",
  out = "out",
  channelsFirst = false,
  logScores = false,
  set = {},
  prefix = "",
}) => {
  it("with upstream's numbers", () => {
    const golden = readCase(join(goldens, id));
    const inputs = inputsOf(golden, channelsFirst);
    const length = (inputs.x ?? inputs.tokens)!.shape[1]!;
    const model = join(work, `${id}.json`);
    const imported = importCheckpoint({
      checkpoint: checkpointOf(golden, prefix),
      out: model,
      layout,
      length,
      values: set,
      force: true,
    });
    expect(imported.layout).toBe(layout);
    const loaded = loadModel({ model });
    const { module } = loaded;
    const found = module.graphs.find(({ name }) => name === graph)!;
    const results = evaluate(
      module,
      graph,
      found.inputs.map(({ hint }) => inputs[hint!]!),
    );
    const ours = results[found.outputNames.indexOf(output)]!;
    const theirs = tensorOf(golden, out);
    const read = logScores ? { ...ours, data: logScoresOf(loaded, ours.data, inputs) } : ours;
    const given = channelsFirst ? swapLastAxes(read) : read;
    expect(given.data.length).toBe(theirs.data.length);
    const size = theirs.data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const worst = given.data.reduce((most, value, i) => Math.max(most, Math.abs(value - theirs.data[i]!)), 0);
    // Upstream's float64 rerun: only rounding of the sums' order is left.
    expect(worst / size).toBeLessThan(1e-9);
  });
});

it("has a case for every layout, and layouts that their schema accepts", () => {
  const names = importLayouts().map(({ name }) => name);
  // Layouts without a case have a formula: test/import/<layout>.test.ts.
  const here = fileURLToPath(new URL(".", import.meta.url));
  const tested = (name: string): boolean =>
    cases.some(({ layout }) => layout === name) || existsSync(join(here, `${name}.test.ts`));
  expect(names.filter((name) => !tested(name))).toEqual([]);
  const folder = fileURLToPath(new URL("../../layouts", import.meta.url));
  expect(readdirSync(folder).sort()).toEqual(names.map((name) => `${name}.json`).sort());
  const schema = JSON.parse(
    readFileSync(fileURLToPath(new URL("../../schema/layout.schema.json", import.meta.url)), "utf8"),
  );
  const validate = new Ajv2020({ allowUnionTypes: true }).compile(schema);
  for (const name of names)
    expect(validate(JSON.parse(readFileSync(join(folder, `${name}.json`), "utf8")))).toBe(true);
});
