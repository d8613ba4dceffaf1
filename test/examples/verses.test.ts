// The trained text example: the description is the PyTorch module (its float64 run, first call and last), and ONNX Runtime
// fills held-out text as the reference does.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { openSession } from "../../src/api/generate.js";
import { generate, samplerPlanOf, stepRunnerOf } from "../../src/runtime/index.js";
import { openCheckpoint } from "../../src/weights/open.js";

const model = "examples/verses/model.json";
const golden = openCheckpoint("examples/verses/golden.safetensors");
const [batch] = golden.info("tokens")!.shape as [number, number];
const fixed = {
  tokens: Int32Array.from(golden.read("tokens")),
  mask: Uint8Array.from(golden.read("given")),
};

async function run(target: string) {
  const session = await openSession({ model, target });
  const runner = stepRunnerOf(session.runner);
  const plan = samplerPlanOf(session.plan);
  const noise = golden.read("noise");
  const x = await runner.embed(fixed.tokens, batch);
  const start = noise.map((value, at) => (fixed.mask[Math.floor(at / runner.dim)] === 1 ? x[at]! : value));
  const first = await runner.denoise!({
    batch,
    x: start,
    previousX0: new Float64Array(start.length),
    point: plan.rows[0]!,
    fixedMask: fixed.mask,
  });
  let last: { readonly logits?: ArrayLike<number>; readonly tokens: Int32Array } | undefined;
  for await (const state of generate(runner, { plan, batch, fixed, noise: () => noise })) last = state;
  await session.close();
  return { first: first.logits, last: last!.logits!, tokens: last!.tokens };
}

/** Largest difference over the largest number. */
function relative(actual: ArrayLike<number>, name: string): number {
  const expected = golden.read(name);
  let [difference, size] = [0, 0];
  for (const [i, value] of expected.entries()) {
    difference = Math.max(difference, Math.abs(value - actual[i]!));
    size = Math.max(size, Math.abs(value));
  }
  return difference / size;
}

test("the reference follows PyTorch's float64 run", async () => {
  const { first, last, tokens } = await run("reference");
  expect(relative(first, "logits_first.f64")).toBeLessThan(1e-9);
  expect(relative(last, "logits_last.f64")).toBeLessThan(1e-9);
  expect([...tokens]).toEqual([...golden.read("final")]);
});

test("ONNX Runtime fills the blanks with the same characters", async () => {
  expect([...(await run("onnx")).tokens]).toEqual([...golden.read("final")]);
});

test("the page's examples fit the model and its alphabet", async () => {
  const session = await openSession({ model, target: "reference" });
  const examples = JSON.parse(readFileSync("examples/verses/examples.json", "utf8")) as { prompt: string }[];
  for (const { prompt } of examples) {
    const { mask } = session.tokenizer!.encode(prompt, session.runner.length);
    expect(mask.includes(0)).toBe(true);
  }
});
