// What enters the trunk of a simplex state's network, by hand: the mean embedding under softmax(S), the embeddings of
// given tokens, and the vector of the level where it belongs.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { loadModel } from "../../src/api/load.js";
import { evaluate } from "../../src/ir/evaluate.js";
import { findGraph, type Graph, type Module } from "../../src/ir/graph.js";
import { type Tensor, tensor } from "../../src/ir/tensor.js";

const [length, width, vocabulary] = [3, 4, 7];
const directory = mkdtempSync(join(tmpdir(), "dlmc-simplex-"));
afterAll(() => rmSync(directory, { recursive: true }));

function load(conditioning: object): ReturnType<typeof loadModel> {
  const model = join(directory, "model.json");
  const description = {
    version: 1,
    state_space: { kind: "simplex", vocab_size: vocabulary, seq_len: length },
    embedding: { dim: width },
    noise_schedule: { family: "cosine", discretization: { kind: "left_edge", num_train_steps: 10 } },
    timesteps: { kind: "all" },
    time_conditioning: {
      injection: "additive",
      input: "t",
      features: { kind: "number" },
      mlp: { dims: [width] },
    },
    blocks: { placement: "post", mixer: { kind: "attention", heads: 2 } },
    conditioning: { kind: "fixed_positions", ...conditioning },
  };
  writeFileSync(model, JSON.stringify(description));
  return loadModel({ model, synthetic: 4 });
}

/** The first operand of the first linear layer of block 0: the trunk's input. */
function trunkInput(module: Module): { module: Module; graph: Graph } {
  const graph = findGraph(module, "denoise")!;
  const query = graph.ops.find((op) => op.name === "linear" && op.loc.pointer.startsWith("/blocks"))!;
  const cut = { ...graph, outputs: [query.operands[0]!], outputNames: ["h"] };
  return { module: { ...module, graphs: [cut] }, graph: cut };
}

test.each([
  ["shared", "all"],
  ["shared", "free"],
  ["own", "all"],
  ["own", "free"],
])("given tokens by the table %s, time added to %s", (table, time) => {
  const { module, store } = load({ table, time });
  const { module: cut, graph } = trunkInput(module);
  const simplex = Float64Array.from({ length: length * vocabulary }, (_, i) => 3 * Math.sin(i * i));
  const mask = [0, 1, 0];
  const inputs: Record<string, Tensor> = {
    simplex: tensor("f32", [1, length, vocabulary], simplex),
    level: tensor("f32", [1], Float64Array.of(0.7)),
    fixed_mask: tensor("bool", [1, length], Float64Array.from(mask)),
    fixed_tokens: tensor("i32", [1, length], Float64Array.of(0, 5, 0)),
  };
  const [h] = evaluate(
    cut,
    "denoise",
    graph.inputs.map(({ hint }) => inputs[hint!]!),
  );
  const numbers = (name: string) => store.read(name).data;
  const rows = numbers("embedding.table");
  const given = table === "own" ? numbers("conditioning.table") : rows;
  for (let i = 0; i < length; i++) {
    const weights = [...simplex.subarray(i * vocabulary, (i + 1) * vocabulary)].map(Math.exp);
    const sum = weights.reduce((s, w) => s + w, 0);
    for (let c = 0; c < width; c++) {
      const mean = weights.reduce((s, w, v) => s + (w / sum) * rows[v * width + c]!, 0);
      const told = numbers("time.mlp.0.weight")[c]! * 0.7 + numbers("time.mlp.0.bias")[c]!;
      const entering = mask[i] === 1 ? given[5 * width + c]! : mean;
      const expected = entering + (mask[i] === 1 && time === "free" ? 0 : told);
      expect(h!.data[i * width + c]).toBeCloseTo(expected, 12);
    }
  }
});
