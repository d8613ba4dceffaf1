// A checkpoint directory as released, and the logits of what an import makes of it.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { loadModel } from "../../src/api/load.js";
import { type ImportOptions, importCheckpoint } from "../../src/index.js";
import { evaluate } from "../../src/ir/evaluate.js";
import { tensor } from "../../src/ir/tensor.js";
import { stored, type Weights } from "./plain.js";

/** A directory as released: weights and their configuration. */
export function checkpointIn(directory: string, weights: Weights, config: object): string {
  mkdirSync(directory);
  writeFileSync(join(directory, "model.safetensors"), stored(weights));
  writeFileSync(join(directory, "config.json"), JSON.stringify(config));
  return directory;
}

/** What an import makes of a checkpoint, and its logits for these tokens, [L, V] flat. */
export function importedLogits(
  checkpoint: string,
  tokens: readonly number[],
  options: Partial<ImportOptions> = {},
) {
  const out = join(checkpoint, "model.json");
  const imported = importCheckpoint({ ...options, checkpoint, out, length: tokens.length });
  const { module, description } = loadModel({ model: imported.model });
  const graph = module.graphs.find(({ name }) => name === "denoise")!;
  const given: Record<string, ReturnType<typeof tensor>> = {
    tokens: tensor("i32", [1, tokens.length], Float64Array.from(tokens)),
    level: tensor("f32", [1], Float64Array.of(0.5)),
  };
  const results = evaluate(
    module,
    "denoise",
    graph.inputs.map(({ hint }) => given[hint!]!),
  );
  const logits = results[graph.outputNames.indexOf("logits")]!.data;
  return { layout: imported.layout, description, inputs: graph.inputs.map(({ hint }) => hint), logits };
}
