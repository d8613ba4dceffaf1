// Levels per position on Dawn: bundles' own loops, whose plans come from the manifest or from plan.js, against the reference.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openSession } from "../../src/api/generate.js";
import { bayesModel, cases } from "../runtime/bayes-positions.js";
import { type BundleProcess, bundle, bundleProcess } from "./bundle-process.js";

let device: BundleProcess | undefined;
beforeAll(async () => {
  device = await bundleProcess("lavapipe");
}, 300_000);
afterAll(() => device?.close());

test.each([
  { ...cases[1], what: "the manifest's plan", steps: undefined },
  { ...cases[2], what: "a plan of plan.js", steps: 3 },
])("$name, $what: the tokens of the reference after every step", {
  timeout: 300_000,
}, async ({ change, steps }) => {
  if (device === undefined) return;
  const { model, remove } = bayesModel(change);
  const { directory, remove: removeBundle } = bundle({ model, batch: 2 });
  const options = { seed: 7, ...(steps !== undefined && { steps }) };
  try {
    const session = await openSession({ model, target: "reference", batch: 2, ...options });
    const tokens: number[][] = [];
    let margins: readonly number[] = [];
    for await (const state of session.states()) {
      tokens.push([...state.tokens]);
      margins = [...(state.margins ?? margins)];
    }
    await session.close();
    // Float32 moves logits of a hundred by about 1e-5: no near tie decided.
    expect(Math.min(...margins)).toBeGreaterThan(1e-2);
    expect((await device.generate({ directory, options })).tokens).toEqual(tokens);
    // The state on the host gives the same.
    expect((await device.generate({ directory, options, driver: true })).tokens).toEqual(tokens);
  } finally {
    removeBundle();
    remove();
  }
});

test("the manifest's own plan has the numbers of each position", () => {
  const { model, remove } = bayesModel(cases[1].change);
  const { directory, remove: removeBundle } = bundle({ model });
  const { plan } = JSON.parse(readFileSync(join(directory, "manifest.json"), "utf8")) as {
    plan: { rows: { positions: unknown[] }[] };
  };
  expect(plan.rows.map(({ positions }) => positions.length)).toEqual([5, 5]);
  removeBundle();
  remove();
});

test("one bundle cannot serve two lengths", () => {
  const { model, remove } = bayesModel(cases[2].change);
  try {
    expect(() => bundle({ model, lengths: [4, 5] })).toThrow("planned for one length");
  } finally {
    remove();
  }
});
