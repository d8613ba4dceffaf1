// LLaDA2's mixture-of-experts network, described by its import layout: logits of in.tokens and what each layer gives.

import { loadModel } from "../../../api/load.js";
import { tensor } from "../../../ir/tensor.js";
import { openGraph } from "../backends.js";
import type { Computed } from "../compare.js";
import { mapEach } from "../each.js";
import { type GoldenCase, hasTensor, numberOption, tensorOf } from "../golden-case.js";
import { importedCase } from "../imported.js";
import { probesOf } from "../probes.js";
import type { GoldenSystem } from "./system.js";

export const llada2: GoldenSystem = {
  name: "LLaDA2",
  covers: (golden) => golden.system === "LLaDA2",
  compute: network,
};

async function network(golden: GoldenCase, work: string): Promise<Computed[]> {
  const tokens = tensorOf(golden, "in.tokens");
  const model = loadModel({ model: importedCase(golden, work, "llada2", tokens.shape[1]!) });
  const probes = probesOf(model.module, "denoise");
  const layers = Array.from({ length: numberOption(golden, "num_hidden_layers") ?? 0 }, (_, i) => i);
  const inside = {
    "mid.model.norm": probes.reading("final_norm.weight"),
    ...Object.fromEntries(layers.map((i) => [`mid.model.layers.${i}`, probes.hinted("residual", 2 * i + 1)])),
  };
  const graph = await openGraph(model, "denoise", inside, work);
  const outputs = await graph.run({ tokens: tensor("i32", tokens.shape, Float64Array.from(tokens.data)) });
  await graph.dispose();
  return [
    { name: "out", ...mapEach(outputs, (values) => values.logits!) },
    ...Object.keys(inside).map((name) => ({ name, ...mapEach(outputs, (values) => values[name]!) })),
  ].filter(({ name }) => hasTensor(golden, name));
}
