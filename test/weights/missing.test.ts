// The entry that a missing parameter suggests for `weights.map`: a tensor of the same shape, and a pattern only where it
// holds for every block.

import { expect, test } from "vitest";
import { Report } from "../../src/support/diagnostic.js";
import { resolveParameters } from "../../src/weights/resolve.js";
import { encodeSafetensors } from "../../src/weights/writer.js";
import { f32, open } from "./helpers.js";

type Shapes = Readonly<Record<string, readonly number[]>>;

/** The entries suggested for parameters of these shapes, with a file that has those tensors. */
function entries(parameters: Shapes, tensors: Shapes): string[] {
  const report = new Report("model.json");
  const written = Object.entries(tensors).map(([name, shape]) => {
    const size = shape.reduce((n, extent) => n * extent, 1);
    const data = Array.from({ length: size }, (_, i) => i + name.length);
    return { name, dtype: "F32" as const, shape, bytes: () => f32(...data) };
  });
  const declared = Object.entries(parameters).map(([name, shape]) => ({
    name,
    shape,
    pointer: `/of/${name}`,
  }));
  resolveParameters(declared, open(encodeSafetensors(written)), { ignore: ["*"] }, report);
  return report.diagnostics
    .filter(({ code }) => code === "weights/missing")
    .map(({ help }) => help!.split(": ").slice(1).join(": "));
}

const attention = Object.fromEntries(
  [0, 1].flatMap((i) => [
    [`blocks.${i}.attn.in_proj_weight`, [6, 2]],
    [`blocks.${i}.mlp.0.weight`, [5, 2]],
    [`blocks.${i}.mlp.2.weight`, [2, 5]],
  ]),
);
const ofBlocks = (name: string, ...shape: readonly number[]): Shapes =>
  Object.fromEntries([0, 1].map((i) => [`blocks.${i}.${name}`, shape]));

test("layers of a Sequential are not numbered as ours: the first alone is named", () => {
  const layers = { "time.mlp.0.weight": [3, 2], "time.mlp.1.weight": [3, 2] };
  const sequential = { "time.0.weight": [3, 2], "time.2.weight": [3, 2] };
  expect(entries(layers, sequential)).toEqual(['"time.mlp.0.weight": "time.0.weight"']);
});

test("the number of the block goes along, the number within it stays", () => {
  expect(entries(ofBlocks("ffn.up.weight", 5, 2), attention)).toEqual([
    '"blocks.{i}.ffn.up.weight": "blocks.{i}.mlp.0.weight"',
  ]);
  expect(entries(ofBlocks("ffn.down.weight", 2, 5), attention)).toEqual([
    '"blocks.{i}.ffn.down.weight": "blocks.{i}.mlp.2.weight"',
  ]);
});

test("the only tensor of that shape in every block is it, whatever its name", () => {
  expect(entries(ofBlocks("mixer.qkv.weight", 6, 2), attention)).toEqual([
    '"blocks.{i}.mixer.qkv.weight": "blocks.{i}.attn.in_proj_weight"',
  ]);
});

test("no tensor of that shape: no entry", () => {
  expect(entries(ofBlocks("mixer.qkv.weight", 7, 2), attention)).toEqual([""]);
});
