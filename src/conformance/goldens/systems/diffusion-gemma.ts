// DiffusionGemma's text network, described by its import layout: a first call of a canvas, and one that sees the logits of
// the call before it; and a canvas decoded with the tokens that upstream drew.

import { type LoadedModel, loadModel } from "../../../api/load.js";
import { planOfModel } from "../../../api/sampler-source.js";
import { tokenPlanOf } from "../../../diffusion/plans.js";
import type { Value } from "../../../ir/graph.js";
import { tensor } from "../../../ir/tensor.js";
import { decodeTokens } from "../../../runtime/discrete/decode-tokens.js";
import type { TokenDraws } from "../../../runtime/discrete/driver.js";
import { previousPort, previousRows } from "../../../runtime/self-conditioning.js";
import type { TokenRunner } from "../../../runtime/token-runner.js";
import { disposeRunners, floats, openGraph, tokenRunners } from "../backends.js";
import type { Computed } from "../compare.js";
import { mapEach, mapEachInTurn } from "../each.js";
import { type GoldenCase, type GoldenTensor, hasTensor, numberOption, tensorOf } from "../golden-case.js";
import { importedCase } from "../imported.js";
import { probesOf } from "../probes.js";
import type { GoldenSystem } from "./system.js";

export const diffusionGemma: GoldenSystem = {
  name: "DiffusionGemma",
  covers: (golden) => golden.system === "DiffusionGemma",
  async compute(golden, work) {
    const [, length] = tensorOf(golden, "in.tokens").shape as [number, number];
    const model = loadModel({ model: importedCase(golden, work, "diffusion-gemma", length) });
    return [...(await network(golden, model, work)), ...(await decoding(golden, model, work))];
  },
};

async function network(golden: GoldenCase, model: LoadedModel, work: string): Promise<Computed[]> {
  const tokens = tensorOf(golden, "in.tokens");
  const batch = tokens.shape[0]!;
  const probes = probesOf(model.module, "denoise");
  const layers = Array.from({ length: numberOption(golden, "num_hidden_layers") ?? 0 }, (_, i) => i);
  const inside: Record<string, Value | undefined> = {
    "mid.decoder.self_conditioning": probes.hinted("self_conditioned"),
    ...Object.fromEntries(layers.map((i) => [`mid.layers.${i}`, probes.hinted("scaled_block", i)])),
    "mid.norm": probes.reading("final_norm.weight"),
  };
  const graph = await openGraph(model, "denoise", inside, work);
  const before = tensorOf(golden, "in.self_cond_logits");
  const temperature = numberOption(golden, "temperature") ?? 1;
  const call = (of: string, previous?: { readonly logits: Float64Array; readonly temperature: number }) => {
    const rows = previousRows(previous, batch);
    return graph.run({
      tokens: tensor("i32", tokens.shape, Float64Array.from(tensorOf(golden, of).data)),
      [previousPort]: floats(before.shape, before.data),
      self_cond_mask: tensor("bool", [batch], Float64Array.from(rows.self_cond_mask)),
      self_cond_scale: floats([batch], rows.self_cond_scale),
    });
  };
  const first = await call("in.tokens_first");
  const second = await call("in.tokens", { logits: before.data, temperature });
  await graph.dispose();
  return [
    { name: "out.first", ...mapEach(first, (values) => values.logits!) },
    { name: "out", ...mapEach(second, (values) => values.logits!) },
    ...Object.keys(inside).map((name) => ({ name, ...mapEach(second, (values) => values[name]!) })),
  ].filter(({ name }) => hasTensor(golden, name));
}

const run = "eb";

/** The canvas after each step, and the logits that upstream has of a row still under way. */
async function decoding(golden: GoldenCase, model: LoadedModel, work: string): Promise<Computed[]> {
  if (!hasTensor(golden, `traj.${run}.x`)) return [];
  const plan = tokenPlanOf(planOfModel(model));
  const [first, choice, renoise] = [`traj.${run}.x`, `draw.${run}.choice`, `draw.${run}.renoise`].map(
    (name) => tensorOf(golden, name),
  ) as [GoldenTensor, GoldenTensor, GoldenTensor];
  const [, batch, canvas] = first.shape as [number, number, number];
  const tokens = tensorOf(golden, "in.tokens");
  const length = tokens.shape[1]!;
  const prompt = length - canvas;
  const start = Int32Array.from(tokens.data, (token, at) =>
    at % length < prompt ? token : first.data[Math.floor(at / length) * canvas + (at % length) - prompt]!,
  );
  const drawn = (of: GoldenTensor, draw: number, row: number, position: number): number =>
    of.data[((draw - 1) * batch + row) * canvas + position - prompt]!;
  const noise: TokenDraws = {
    start,
    chosen: (draw, row, position) => drawn(choice, draw, row, position),
    // Of random tokens; floor(u n) is the recorded one.
    uniform: (draw, row, position) => (drawn(renoise, draw, row, position) + 0.5) / plan.process.vocabulary,
  };
  const fixed = { tokens: start, mask: Uint8Array.from(start, (_, at) => (at % length < prompt ? 1 : 0)) };
  const ofCanvas = (values: ArrayLike<number>): number[] => {
    const each = values.length / batch;
    return Array.from({ length: batch }, (_, row) =>
      Array.from(values).slice(row * each + (each / length) * prompt, (row + 1) * each),
    ).flat();
  };
  const runners = await tokenRunners(model, work);
  const walks = await mapEachInTurn(runners, async (runner) => {
    const calls: number[][] = [];
    const recording: TokenRunner = {
      ...runner,
      async logits(inputs) {
        const logits = await runner.logits(inputs);
        calls.push(ofCanvas(logits));
        return logits;
      },
    };
    const states = [ofCanvas(start)];
    let last: number[] = [];
    for await (const state of decodeTokens(recording, { plan, batch, noise, fixed }))
      if (state.done) last = ofCanvas(state.tokens);
      else states.push(ofCanvas(state.tokens));
    return { calls, states, last };
  });
  await disposeRunners(runners);
  return [
    { name: `traj.${run}.x`, exact: true, ...mapEach(walks, ({ states }) => states.flat()) },
    { name: `out.${run}.tokens`, exact: true, ...mapEach(walks, ({ last }) => last) },
    { name: `traj.${run}.logits_first`, ...mapEach(walks, ({ calls }) => calls[0]!) },
    {
      name: `traj.${run}.logits_last`,
      ...mapEach(walks, ({ calls }) => calls.at(-1)!.slice(0, calls[0]!.length / batch)),
    },
  ];
}
