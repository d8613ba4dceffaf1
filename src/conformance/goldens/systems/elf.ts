// ELF: the network with and without self-conditioning and mode tokens, and its samplers from noise to tokens.

import { samplerPlan } from "../../../api/sampler-source.js";
import type { StepRunner } from "../../../runtime/step-runner.js";
import { disposeRunners, floats, load, openGraph, runners } from "../backends.js";
import type { Computed } from "../compare.js";
import { type Each, mapEach, mapEachInTurn } from "../each.js";
import {
  countWeights,
  firstTensor,
  type GoldenCase,
  hasTensor,
  numberOption,
  tensorOf,
  weightShape,
} from "../golden-case.js";
import { probesOf } from "../probes.js";
import { describeElf, type ElfCall } from "./elf-description.js";
import { sampleElf } from "./elf-sampler.js";
import { type GoldenSystem, isNamed } from "./system.js";

export const elf: GoldenSystem = {
  name: "ELF",
  covers: (golden) => isNamed(golden, "elf") && weightShape(golden, "t_emb_tokens") !== undefined,
  compute,
};

async function compute(golden: GoldenCase, work: string): Promise<readonly Computed[]> {
  return [
    ...(await network(golden, `${work}/network`, true)),
    ...(await network(golden, `${work}/plain`, false)),
    ...(await sampling(golden, `${work}/sampler`)),
  ];
}

/** One call at in.z, in.t: with in.x_prev and mode tokens, or with neither. */
async function network(golden: GoldenCase, work: string, whole: boolean): Promise<Computed[]> {
  const names = whole
    ? ([
        ["out", "x0"],
        ["out.decoder_logits", "logits"],
      ] as const)
    : ([["out.no_selfcond", "x0"]] as const);
  const z = firstTensor(golden, "in.z");
  if (z === undefined || !names.some(([name]) => hasTensor(golden, name))) return [];
  const rows = z.shape[0]!;
  const scales = firstTensor(golden, "in.sc_scale")?.data;
  const ofRow = (values: Float64Array, row: number): number => values[values.length === 1 ? 0 : row]!;
  const results = new Map<string, Each<Float64Array>>();
  // The scale is a constant of the description: rows of one scale are one call.
  const distinct = scales === undefined ? [undefined] : [...new Set(scales)];
  for (const [k, scale] of distinct.entries()) {
    const chosen = Array.from({ length: rows }, (_, row) => row).filter(
      (row) => scales === undefined || ofRow(scales, row) === scale,
    );
    const call: ElfCall = { scale, selfConditioned: whole, mode: whole ? "always" : "never" };
    const values = await evaluateRows(golden, call, chosen, `${work}/${k}`);
    for (const [name, each] of Object.entries(values)) {
      const joined =
        results.get(name) ?? mapEach(each, (one) => new Float64Array((one.length / chosen.length) * rows));
      results.set(name, joined);
      for (const backend of ["reference", "onnx", "wgsl"] as const) {
        const [from, to] = [each[backend], joined[backend]];
        if (from === undefined || to === undefined) continue;
        const size = to.length / rows;
        for (const [i, row] of chosen.entries()) to.set(from.subarray(i * size, (i + 1) * size), row * size);
      }
    }
  }
  const middle = [...results.keys()]
    .filter((name) => whole && name.startsWith("mid."))
    .map((name) => [name, name] as const);
  return [...names, ...middle].flatMap(([name, output]) => {
    const values = results.get(output);
    return values === undefined || !hasTensor(golden, name) ? [] : [{ name, ...values }];
  });
}

/** @denoise of the chosen rows, with upstream's intermediates. */
async function evaluateRows(golden: GoldenCase, call: ElfCall, chosen: readonly number[], work: string) {
  const z = tensorOf(golden, "in.z");
  const model = load(describeElf(golden, call), work);
  const probes = probesOf(model.module, "denoise");
  const blocks = Array.from({ length: countWeights(golden, "blocks.", ".attn.qkv.weight") }, (_, i) => i);
  const intermediate = {
    "mid.text_proj": probes.reading("embedding.in_proj.1.weight"),
    "mid.t_embedder": probes.reading("time.mlp.1.weight"),
    ...Object.fromEntries(
      blocks.flatMap((i) => [
        [`mid.blocks.${i}.attn`, probes.reading(`blocks.${i}.mixer.out_proj.weight`)],
        [`mid.blocks.${i}.mlp`, probes.reading(`blocks.${i}.ffn.down.weight`)],
        [`mid.blocks.${i}`, probes.hinted("residual", 2 * i + 1)],
      ]),
    ),
  };
  const graph = await openGraph(model, "denoise", intermediate, `${work}/denoise`);
  const shape = [chosen.length, ...z.shape.slice(1)];
  const pick = (name: string) => {
    const { data } = tensorOf(golden, name);
    const size = z.data.length / z.shape[0]!;
    return floats(
      shape,
      chosen.flatMap((row) => [...data.subarray(row * size, (row + 1) * size)]),
    );
  };
  const t = tensorOf(golden, "in.t").data;
  const values = await graph.run({
    x: pick("in.z"),
    level: floats(
      [chosen.length],
      chosen.map((row) => t[t.length === 1 ? 0 : row]!),
    ),
    ...(call.selfConditioned && { self_cond: pick("in.x_prev") }),
  });
  await graph.dispose();
  const named = Object.keys(values.reference);
  return Object.fromEntries(named.map((name) => [name, mapEach(values, (all) => all[name]!)]));
}

/** The sampler from draw.z_init, and the tokens it ends with. */
async function sampling(golden: GoldenCase, work: string): Promise<Computed[]> {
  if (!hasTensor(golden, "draw.z_init")) return [];
  const scale = numberOption(golden, "self_cond_cfg_scale");
  const model = load(describeElf(golden, { scale, selfConditioned: true, mode: "round" }), work);
  const each = await runners(model, work);
  try {
    const plan = samplerPlan(model);
    const walks = await mapEachInTurn(each, (runner: StepRunner) => sampleElf(golden, plan, runner));
    type Walk = typeof walks.reference;
    const columns: readonly (readonly [string, (walk: Walk) => ArrayLike<number>])[] = [
      ["traj.z", ({ states }) => states],
      ["traj.x0", ({ predictions }) => predictions],
      ["traj.decode_logits", ({ logits }) => logits],
      ["out.tokens", ({ tokens }) => tokens],
    ];
    return columns
      .filter(([name]) => hasTensor(golden, name))
      .map(([name, of]) => ({ name, exact: name === "out.tokens", ...mapEach(walks, of) }));
  } finally {
    await disposeRunners(each);
  }
}
