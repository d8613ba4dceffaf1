// The comparator itself under test: every seeded mistake is caught, and the op that makes it is the one blamed.
import { expect, test } from "vitest";
import type { Module, Op } from "../../src/ir/graph.js";
import { definitionOf } from "../../src/ir/ops/index.js";
import type { Tensor } from "../../src/ir/tensor.js";
import { checkModule } from "../../src/runtime-check/check.js";
import { float32Candidate } from "./float32.js";
import { mistakeAt, mistakes, type NamedMistake } from "./mistakes.js";
import { randomModule } from "./random-modules.js";

/** The module with every op's place in the graph as its pointer, by which a mistake finds its op in any copy. */
function placed(module: Module): Module {
  const graphs = module.graphs.map((graph) => ({
    ...graph,
    ops: graph.ops.map((op, i) => ({ ...op, loc: { pointer: `/${i}`, via: [] } })),
  }));
  return { ...module, graphs };
}

/** The largest change, relative to the largest number. */
function change(wrong: Tensor, right: Tensor): number {
  const size = right.data.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
  return right.data.reduce((m, v, i) => Math.max(m, Math.abs(wrong.data[i]! - v) / size), 0);
}

/** Seeds the mistake into the last op it can strike: "caught", "same" when it changed nothing, or what went wrong. */
async function seed(mistake: NamedMistake, module: Module, inputs: number): Promise<string> {
  const { ops } = module.graphs[0]!;
  const strikes = (op: Op): boolean => definitionOf(op.name)!.fusion !== "constant" && mistake.strikes(op);
  const struck = ops.findLast(strikes);
  if (struck === undefined) return "absent";
  const strike = mistakeAt(mistake, (op) => op.loc.pointer === struck.loc.pointer);
  let effect = 0;
  const wrong = float32Candidate((op, operands, results, graph) => {
    const made = strike(op, operands, results, graph);
    if (made !== undefined) effect = Math.max(effect, change(made[0]!, results[0]!));
    return made;
  });
  const [graph] = (await checkModule(module, wrong, { inputs: { seed: inputs } })).graphs;
  if (graph!.problems.length > 0) return graph!.problems.join("; ");
  // A filter of one tap is circular and linear at once: there is no mistake to catch then.
  if (effect < 1e-6) return "same";
  const blamed = graph!.firstDivergence;
  if (blamed === undefined) return `missed: changed by ${effect}`;
  return blamed.pointer === struck.loc.pointer && blamed.mode === "isolated"
    ? "caught"
    : `blamed ${blamed.op} ${blamed.pointer} (${blamed.mode})`;
}

test.each(mistakes)("$name", { timeout: 120_000 }, async (mistake) => {
  const outcomes = new Map<string, number>();
  for (let s = 1; s <= 12; s++) {
    const module = placed(
      randomModule({
        seed: s,
        depth: 3 + s,
        length: [4, 8, 3, 16][s % 4]!,
        width: [4, 8, 16, 2, 12][s % 5]!,
      }),
    );
    const outcome = await seed(mistake, module, s);
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  }
  const { caught = 0, absent = 0, same = 0, ...wrong } = Object.fromEntries(outcomes);
  expect(wrong).toEqual({});
  expect(caught).toBeGreaterThan(2);
  expect(caught + absent + same).toBe(12);
});
