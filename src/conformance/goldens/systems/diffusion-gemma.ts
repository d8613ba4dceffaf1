// DiffusionGemma's text network, described by its import layout: a first call of a canvas, and one that sees the logits of
// the call before it.

import { loadModel } from "../../../api/load.js";
import type { Value } from "../../../ir/graph.js";
import { tensor } from "../../../ir/tensor.js";
import { previousPort, previousRows } from "../../../runtime/self-conditioning.js";
import { floats, openGraph } from "../backends.js";
import type { Computed } from "../compare.js";
import { mapEach } from "../each.js";
import { type GoldenCase, hasTensor, numberOption, tensorOf } from "../golden-case.js";
import { importedCase } from "../imported.js";
import { probesOf } from "../probes.js";
import type { GoldenSystem } from "./system.js";

export const diffusionGemma: GoldenSystem = {
  name: "DiffusionGemma",
  covers: (golden) => golden.system === "DiffusionGemma",
  compute: network,
};

async function network(golden: GoldenCase, work: string): Promise<Computed[]> {
  const tokens = tensorOf(golden, "in.tokens");
  const [batch, length] = tokens.shape as [number, number];
  const model = loadModel({ model: importedCase(golden, work, "diffusion-gemma", length) });
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
