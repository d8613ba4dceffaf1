// Honest float32 runs pass at every size and depth: not one false alarm in 200 random networks.
import { expect, test } from "vitest";
import { Builder } from "../../src/ir/build.js";
import { tensor } from "../../src/ir/tensor.js";
import { type } from "../../src/ir/type.js";
import { checkModule } from "../../src/runtime-check/check.js";
import { float32Candidate, weightsOf } from "./float32.js";
import { randomModule } from "./random-modules.js";

const widths = [4, 8, 12, 16, 24, 1, 32, 3];
const lengths = [4, 8, 1, 12, 24];

test("200 random networks, 1 to 17 layers deep", { timeout: 120_000 }, async () => {
  const alarms: string[] = [];
  let values = 0;
  let nearest = 0;
  for (let seed = 1; seed <= 200; seed++) {
    const module = randomModule({
      seed,
      depth: 1 + (seed % 17),
      length: lengths[seed % 5]!,
      width: widths[seed % 8]!,
    });
    const report = await checkModule(module, float32Candidate(), { inputs: { seed } });
    for (const graph of report.graphs) {
      if (!graph.agrees)
        alarms.push(`${seed}: ${graph.firstDivergence?.message ?? graph.problems.join("; ")}`);
      values += graph.values.length;
      for (const { isolated } of graph.values) nearest = Math.max(nearest, isolated!.strain);
    }
  }
  expect(alarms).toEqual([]);
  expect(values).toBeGreaterThan(4000);
  // Tolerances are not idle either: some honest op comes within a factor of four of its own.
  expect(nearest).toBeGreaterThan(0.25);
  expect(nearest).toBeLessThan(1);
});

test("sums of many terms of one sign are honest in plain order", async () => {
  const b = new Builder("g");
  const x = b.input("x", type("f32", [1, 2048]));
  const positive = b.emit("exp", { x }, {});
  const sum = b.emit("reduce_sum", { x: positive }, { axis: 1 });
  const mean = b.emit("reduce_mean", { x: positive }, { axis: 1 });
  const ones = b.emit("constant", {}, { value: 1, shape: [x.type.shape[1]!, x.type.shape[0]!] });
  const product = b.emit("matmul", { a: positive, b: ones }, {});
  const module = { dims: new Map(), graphs: [b.finish({ sum, mean, product })], weights: weightsOf({}) };
  for (let seed = 0; seed < 20; seed++) {
    const given = {
      x: tensor(
        "f32",
        [1, 2048],
        Float64Array.from({ length: 2048 }, (_, i) => Math.fround(Math.sin(i * (seed + 1)))),
      ),
    };
    const report = await checkModule(module, float32Candidate(), { inputs: { seed, given } });
    expect(report.graphs[0]!.firstDivergence).toBeUndefined();
  }
});
