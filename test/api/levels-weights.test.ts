// A listed schedule that comes with a model's weights: it is read alone where only levels are asked for.
import { readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { build } from "../../src/api/compile.js";
import { inspectSchedule } from "../../src/api/inspect.js";
import { loadModel } from "../../src/api/load.js";
import { planOfModel } from "../../src/api/sampler-source.js";
import type { DlmcError } from "../../src/support/diagnostic.js";
import { bars, bayesModel, cases, columns, length } from "../runtime/bayes-positions.js";

test("levels are read from the checkpoint of a whole model, whose other tensors may go by other names", () => {
  const { model, remove } = bayesModel(cases[0].change);
  try {
    const described = JSON.parse(readFileSync(model, "utf8"));
    const renamed = { ...described, weights: { ...described.weights, map: { "embedding.table": "table" } } };
    for (const description of [described, renamed]) {
      writeFileSync(model, JSON.stringify(description));
      const { levels } = inspectSchedule({ model });
      expect(levels).toHaveLength(6);
      for (let p = 0; p < length; p++)
        expect(levels[1]!.positions![p]!.alphaBar).toBeCloseTo(bars[4]![p]!, 12);
    }
  } finally {
    remove();
  }
});

test("a column of the checkpoint that does not fall is told with its position, wherever the table is first seen", () => {
  const { model, remove } = bayesModel(cases[0].change);
  try {
    // The table is the file's last tensor.
    const weights = model.replace("model.json", "w.safetensors");
    const bytes = readFileSync(weights);
    bytes.writeFloatLE(0.99, bytes.length - 4 * (6 - 3) * columns + 4 * 2);
    writeFileSync(weights, bytes);
    const seen = [
      () => inspectSchedule({ model }),
      () => planOfModel(loadModel({ model })),
      () => build({ model, target: "onnx" }),
      () => build({ model, target: "wgsl" }),
    ].map((see) => {
      try {
        return see();
      } catch (error) {
        return (error as DlmcError).diagnostics[0];
      }
    });
    for (const diagnostic of seen)
      expect(diagnostic).toMatchObject({
        code: "schedule/table-order",
        message: expect.stringMatching(
          /^alpha_bar of position 2 falls from below 1, but 0\.99\d+ follows 0\./,
        ),
        file: model,
        pointer: "/noise_schedule/alpha_bars/3/2",
      });
  } finally {
    remove();
  }
});
