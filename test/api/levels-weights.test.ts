// A listed schedule that comes with a model's weights: it is read alone where only levels are asked for.
import { readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { inspectSchedule } from "../../src/api/inspect.js";
import { bars, bayesModel, cases, length } from "../runtime/bayes-positions.js";

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
