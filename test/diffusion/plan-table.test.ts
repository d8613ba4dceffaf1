import { existsSync, readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { loadModel } from "../../src/api/load.js";
import { samplerParts } from "../../src/api/sampler-source.js";
import type { TokenPlan } from "../../src/diffusion/discrete/token-plan.js";
import { planOf, planTable, readPlanTable } from "../../src/diffusion/index.js";

const examples = readdirSync("examples").filter((name) => name !== "README.md" && name !== "systems.json");

test("a plan read back from JSON text is the plan, infinities included", () => {
  let tables = 0;
  for (const name of examples) {
    const file = `examples/${name}/model.json`;
    const { part = "model" } = JSON.parse(readFileSync(file, "utf8")) as { part?: string };
    if (part !== "model") continue;
    const trained = existsSync(`examples/${name}/weights.safetensors`);
    const model = loadModel({ model: file, ...(!trained && { synthetic: 1 }) });
    const { parts, constants } = samplerParts(model)!;
    const plan = planOf(parts, { constants });
    const table = planTable(plan);
    if (table === undefined) continue;
    tables++;
    const { levelAt, ...data } = plan as typeof plan & { readonly levelAt?: unknown };
    expect(readPlanTable(JSON.parse(JSON.stringify(table)) as object), name).toEqual(data);
  }
  expect(tables).toBeGreaterThan(20);
});

test("words stand for what JSON has no number for", () => {
  // A flow starts without signal.
  const { parts } = samplerParts(loadModel({ model: "examples/discrete-flow/model.json", synthetic: 1 }))!;
  const plan = planOf(parts);
  const numbers = JSON.stringify(planTable(plan));
  expect(numbers).toContain('"gamma":"Infinity"');
  expect(numbers).not.toContain("null");
  const [row] = (readPlanTable(JSON.parse(numbers) as object) as TokenPlan).rows;
  expect(row!.gamma).toBe(Number.POSITIVE_INFINITY);
});

test("noise and self-correction, which a plan has as functions, have no table", () => {
  for (const example of ["d3pm-nearest", "genmd4", "gidd"]) {
    const { parts } = samplerParts(loadModel({ model: `examples/${example}/model.json`, synthetic: 1 }))!;
    expect(planTable(planOf(parts)), example).toBeUndefined();
  }
});

test("a decoder that asks for levels between rows, and a long plan, have no table", () => {
  const tokens = (kind: string, steps: number): unknown =>
    planTable(
      planOf({
        state_space: { kind: "absorbing", vocab_size: 5 },
        noise_schedule: { family: "log_linear" },
        timesteps: { kind: "linspace", num_steps: steps },
        sampler: { kind },
      } as never),
    );
  expect(tokens("ancestral", 257)).toBeDefined();
  expect(tokens("ancestral", 258)).toBeUndefined();
  expect(tokens("first_hitting", 4)).toBeUndefined();
});
