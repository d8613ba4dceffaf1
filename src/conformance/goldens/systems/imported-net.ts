// Networks that are described by their import layouts, LLaDA2's mixture of experts and SDAR's Qwen3 with blocks: logits of
// in.tokens, what each layer gives, and decoding driven by the whole network.

import { join } from "node:path";
import { loadModel } from "../../../api/load.js";
import { tensor } from "../../../ir/tensor.js";
import { disposeRunners, openGraph, tokenRunners } from "../backends.js";
import type { Computed } from "../compare.js";
import { mapEach } from "../each.js";
import {
  type Facts,
  type GoldenCase,
  hasTensor,
  numberOption,
  tensorOf,
  weightShape,
} from "../golden-case.js";
import { importedCase } from "../imported.js";
import { probesOf } from "../probes.js";
import { blockRuns, llada2, sdar } from "./block-decode.js";
import { type GoldenSystem, isNamed } from "./system.js";

/** The system with this layout; its network's layers are called model.layers.<i>. */
const imported = (
  name: string,
  layout: string,
  table: string,
  rules: Parameters<typeof blockRuns>[1],
): GoldenSystem => ({
  name,
  covers: (golden) => isNamed(golden, layout) && weightShape(golden, table) !== undefined,
  async compute(golden, work) {
    const open = async (length: number, block: number) => {
      const directory = join(work, `${length}-${block}`);
      const model = importedCase(golden, directory, layout, length, blocksOf(golden, block));
      return tokenRunners(loadModel({ model }), directory);
    };
    return [
      ...(await network(golden, layout, work)),
      ...(await blockRuns(golden, rules, open, disposeRunners)),
    ];
  },
});

export const llada2Network = imported("LLaDA2", "llada2", "model.word_embeddings.weight", llada2);
export const sdarNetwork = imported("SDAR", "sdar", "model.embed_tokens.weight", sdar);

async function network(golden: GoldenCase, layout: string, work: string): Promise<Computed[]> {
  if (!hasTensor(golden, "in.tokens")) return [];
  const tokens = tensorOf(golden, "in.tokens");
  const block = numberOption(golden, "block_length", "block_size");
  const config = blocksOf(golden, block);
  const model = loadModel({
    model: importedCase(golden, join(work, "net"), layout, tokens.shape[1]!, config),
  });
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

/** What config.json says beyond the case's args. */
function blocksOf(golden: GoldenCase, block: number | undefined): Facts {
  const mask = numberOption(golden, "mask_token_id", "mask_id");
  return {
    ...(mask !== undefined && { mask_token_id: mask }),
    ...(block !== undefined && { block_length: block, block_size: block }),
  };
}
