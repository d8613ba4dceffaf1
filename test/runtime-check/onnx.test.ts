// ONNX Runtime itself: its functions are as accurate as the table says, honest emission agrees, and a module that
// was changed before it was emitted does not.
import * as ort from "onnxruntime-node";
import { afterAll, expect, test } from "vitest";
import { emitOnnx, writeOnnxBundle } from "../../src/emit-onnx/emit.js";
import { erf } from "../../src/ir/functions.js";
import type { Attributes, Module } from "../../src/ir/graph.js";
import { parseModule } from "../../src/ir/parse.js";
import { tensor } from "../../src/ir/tensor.js";
import { onnxRuntimeCpu } from "../../src/runtime-check/accuracy.js";
import { checkModule } from "../../src/runtime-check/check.js";
import { type OnnxCandidateOptions, onnxCandidate } from "../../src/runtime-check/onnx-candidate.js";
import { randomModule } from "./random-modules.js";

const options: OnnxCandidateOptions = {
  ort: ort as unknown as OnnxCandidateOptions["ort"],
  emit: (module, open) => writeOnnxBundle(emitOnnx([{ module }], { version: "0.0.0" }), open).graphs,
};
const candidate = onnxCandidate(options);
afterAll(() => candidate.dispose());

const functions = [
  ["exp", Math.exp, -87, 88],
  ["log", Math.log, 1e-6, 100],
  ["sqrt", Math.sqrt, 1e-6, 100],
  ["tanh", Math.tanh, -10, 10],
  ["sigmoid", (x: number) => 1 / (1 + Math.exp(-x)), -80, 20],
  ["erf", erf, -4, 4],
  ["sin", Math.sin, -100, 100],
  ["cos", Math.cos, -100, 100],
] as const;

test.each(functions)("%s is as accurate as the table says", async (name, f, low, high) => {
  const n = 20_011;
  const module = parseModule(
    `graph @g(%x: f32[${n}]) {\n  %y = ${name} %x : f32[${n}]\n  return y = %y\n}\n`,
  );
  const x = tensor(
    "f32",
    [n],
    Float64Array.from({ length: n }, (_, i) => Math.fround(low + ((high - low) * (i + 0.5)) / n)),
  );
  const [y] = await candidate.run(module, "g", [x]);
  const { relative, absolute = 0 } = onnxRuntimeCpu.functions[name];
  let worst = 0;
  y!.data.forEach((v, i) => {
    const exact = f(x.data[i]!);
    const allowed = 2 ** -24 * (relative * Math.abs(exact) + absolute) + 2 ** -126;
    worst = Math.max(worst, Math.abs(v - exact) / allowed);
  });
  expect(worst).toBeLessThanOrEqual(1);
  // A table far above what is there would hide mistakes.
  expect(worst).toBeGreaterThan(0.3);
});

test("random networks agree, alone, along the graph and as they ship", { timeout: 60_000 }, async () => {
  for (let seed = 1; seed <= 8; seed++) {
    const module = randomModule({
      seed,
      depth: 2 + seed,
      length: [5, 16][seed % 2]!,
      width: [8, 24, 64][seed % 3]!,
    });
    const report = await checkModule(module, candidate, { inputs: { seed } });
    expect(report.graphs.map(({ firstDivergence, problems }) => [firstDivergence, problems])).toEqual([
      [undefined, []],
    ]);
    expect(report.agrees).toBe(true);
  }
});

/** The candidate, emitting a module in which the attributes of every `name` op are changed. */
function miscompiled(name: string, attributes: Attributes) {
  const spoil = (module: Module): Module => ({
    ...module,
    graphs: module.graphs.map((graph) => ({
      ...graph,
      ops: graph.ops.map((op) =>
        op.name === name ? { ...op, attributes: { ...op.attributes, ...attributes } } : op,
      ),
    })),
  });
  return onnxCandidate({ ...options, emit: (module, open) => options.emit(spoil(module), open) });
}

test.each([
  ["layer_norm", { epsilon: 1e-3 }],
  ["gelu", { approximate: "tanh" }],
  ["rms_norm", { epsilon: 1e-3 }],
  ["long_conv", { circular: true }],
  ["attention", { mask: "causal" }],
] as const)("a miscompiled %s is blamed", { timeout: 60_000 }, async (name, attributes) => {
  const wrong = miscompiled(name, attributes);
  let blamed = 0;
  for (let seed = 1; seed <= 6; seed++) {
    const module = randomModule({ seed, depth: 9, length: 8, width: 8 });
    const changed = module.graphs[0]!.ops.some(
      (op) =>
        op.name === name && Object.entries(attributes).some(([key, value]) => op.attributes[key] !== value),
    );
    const { agrees, graphs } = await checkModule(module, wrong, { inputs: { seed } });
    expect(agrees).toBe(!changed);
    if (changed) expect(graphs[0]!.firstDivergence).toMatchObject({ mode: "isolated", op: name });
    if (changed) blamed++;
  }
  expect(blamed).toBeGreaterThan(0);
  await wrong.dispose();
});
