// The runner of a model of embeddings on WebGPU. One submit a step; a generation that it keeps (`openState`) moves noise
// up and tokens down and nothing else.

import { coefficientsOf, levelInputs } from "../../diffusion/rows.js";
import { classValues } from "../classes.js";
import { argmaxRows } from "../margins.js";
import type { Decoded, FloatArray, Rounded, StepRunner } from "../step-runner.js";
import type { LoadedGraph } from "./graph.js";
import type { GraphCalls } from "./graph-calls.js";
import { filled, residentState } from "./resident.js";
import { timeCopies } from "./time-rows.js";

/** The runner of a model of embeddings. */
export function webgpuStepRunner({ execution, graph, run, ofBatch, hold }: GraphCalls): StepRunner {
  const { graphs, memory } = execution;
  const step = graph("step");
  const copyTime = timeCopies(graphs.get("time"), memory);
  const [, length, dim] = (step.graph.inputs.find(({ name }) => name === "x")?.shape ?? []) as number[];
  const scores = graphs.get("round") ?? graphs.get("decode") ?? graphs.get("denoise") ?? step;
  const tokenless = scores.outputPort("logits") === undefined && scores.outputPort("tokens") === undefined;
  const vocabulary = scores.outputPort("logits")?.shape[2] ?? (tokenless ? 0 : Number.MAX_SAFE_INTEGER);
  const classFor = (to: LoadedGraph, classes: Int32Array | undefined) =>
    classValues(classes, to.input("class") !== undefined);
  // Bundles of large vocabularies give tokens instead of logits; `openState` ends with those.
  const scored = (name: string): LoadedGraph | undefined =>
    graphs.get(name)?.outputPort("logits") && graphs.get(name);
  const denoise = scored("denoise");
  const round = scored("round");
  const decode = graphs.get("decode");
  return {
    length: length!,
    dim: dim!,
    vocabulary,
    async embed(tokens, wanted) {
      ofBatch(wanted);
      return (await run(graph("embed"), { tokens }, ["x"]))[0] as FloatArray;
    },
    async step({ batch: wanted, x, previousX0, noise, row, fixedMask, fixedX, classes }) {
      ofBatch(wanted);
      const values = {
        x,
        self_cond: previousX0,
        x0_prev: previousX0,
        noise,
        coefficients: filled(step)(coefficientsOf(row), "coefficients"),
        ...levelInputs(row, filled(step)),
        fixed_mask: fixedMask,
        fixed_x: fixedX,
        ...classFor(step, classes),
      };
      const [next, x0, tokens] = await run(step, values, ["x_next", "x0", "tokens"], (encoder) =>
        copyTime(encoder, row.level, step),
      );
      return {
        x: next as FloatArray,
        x0: x0 as FloatArray,
        tokens: (tokens ?? new Int32Array()) as Int32Array,
      };
    },
    ...(denoise !== undefined && {
      async denoise({
        batch: wanted,
        x,
        previousX0,
        point,
        fixedMask,
        classes,
      }: Parameters<NonNullable<StepRunner["denoise"]>>[0]) {
        ofBatch(wanted);
        const values = {
          x,
          self_cond: previousX0,
          fixed_mask: fixedMask,
          ...levelInputs(point, filled(denoise)),
          ...classFor(denoise, classes),
        };
        const [logits] = (await run(denoise, values, ["logits"])) as [FloatArray];
        return { logits, tokens: argmaxRows(logits, vocabulary) };
      },
    }),
    ...(round !== undefined && {
      async round(...[x, wanted, , classes]: Parameters<NonNullable<StepRunner["round"]>>): Promise<Rounded> {
        ofBatch(wanted);
        const [logits, tokens] = await run(round, { x, ...classFor(round, classes) }, ["logits", "tokens"]);
        return { logits: logits as FloatArray, tokens: tokens as Int32Array };
      },
    }),
    ...(decode && {
      async decode(x: FloatArray, wanted: number): Promise<Decoded> {
        ofBatch(wanted);
        const [latents, tokens, logits] = await run(decode, { x }, ["latents", "tokens", "logits"]);
        return {
          latents: latents as FloatArray,
          tokens: (tokens ?? new Int32Array()) as Int32Array,
          ...(logits && { logits: logits as FloatArray }),
        };
      },
    }),
    openState(start) {
      ofBatch(start.batch);
      classFor(step, start.classes);
      return residentState({ ...execution, copyTime }, start, vocabulary, hold());
    },
    async dispose() {
      memory.destroy();
    },
  };
}
