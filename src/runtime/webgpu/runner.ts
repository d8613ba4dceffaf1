// A StepRunner on WebGPU. One submit a step; a generation that it keeps (`openState`) moves noise up and tokens down
// and nothing else.

import { fail } from "../../support/diagnostic.js";
import { argmaxRows } from "../margins.js";
import type { FloatArray, Rounded, StepRunner } from "../step-runner.js";
import type { Execution, Graphs } from "./execution.js";
import type { GpuBuffer } from "./gpu.js";
import { type HostArray, type LoadedGraph, unpacked } from "./graph.js";
import type { Memory } from "./memory.js";
import { residentState } from "./resident.js";
import { timeRows } from "./time-rows.js";

/** The runner over bound graphs; `dispose` gives all memory back. */
export function webgpuRunner(
  graphs: Graphs,
  memory: Memory,
  batch: number,
  file: string,
): StepRunner & { readonly execution: Execution } {
  const graph = (name: string): LoadedGraph =>
    graphs.get(name) ??
    fail("bundle/missing-graph", `the bundle has no graph "${name}"`, {
      file,
      help: "compile a whole model",
    });
  const step = graph("step");
  const [, length, dim] = (step.graph.inputs.find(({ name }) => name === "x")?.shape ?? []) as number[];
  const scores = graphs.get("round") ?? graphs.get("denoise") ?? step;
  const vocabulary = scores.outputPort("logits")?.shape[2] ?? Number.MAX_SAFE_INTEGER;
  let open = false;

  const submit: Execution["submit"] = async (encode, read) => {
    memory.check();
    const encoder = memory.device.createCommandEncoder();
    encode(encoder);
    const staged = read.map(({ buffer, offset, bytes }): GpuBuffer => {
      const staging = memory.staging(bytes);
      encoder.copyBufferToBuffer(buffer, offset, staging, 0, staging.size);
      return staging;
    });
    memory.device.queue.submit([encoder.finish()]);
    return Promise.all(staged.map((staging) => memory.read(staging)));
  };
  const rows = timeRows(graphs.get("time"), memory);
  const execution: Execution = {
    graphs,
    memory,
    graph,
    submit,
    copyTime(encoder, level, to) {
      const input = to.input("time");
      if (input === undefined) return;
      const row = rows(level);
      encoder.copyBufferToBuffer(row.buffer, row.offset, input.buffer, input.offset, input.bytes);
    },
  };

  /** Uploads by name, runs one graph, reads outputs by name. */
  const run = async (
    to: LoadedGraph,
    values: Readonly<Record<string, HostArray>>,
    names: readonly string[],
    level?: number,
  ): Promise<(Float32Array | Int32Array)[]> => {
    if (open) fail("generate/busy", "a generation of this model is under way", { help: "end it first" });
    for (const [name, value] of Object.entries(values)) to.write(name, value);
    const present = names.filter((name) => to.outputPort(name) !== undefined);
    const bytes = await submit(
      (encoder) => {
        if (level !== undefined) execution.copyTime(encoder, level, to);
        to.encode(encoder);
      },
      present.map((name) => to.output(name)),
    );
    return present.map((name, i) => unpacked(to.outputPort(name)!, bytes[i]!));
  };
  const ofBatch = (wanted: number): void => {
    if (wanted !== batch)
      fail("generate/batch", `the bundle was compiled for a batch of ${batch}, not ${wanted}`, {
        file,
        help: `compile it again with --batch ${wanted}`,
      });
  };
  const column = (value: number, port: LoadedGraph, name: string): Float32Array =>
    new Float32Array((port.input(name)?.bytes ?? 4) / 4).fill(value);
  // Bundles of large vocabularies give tokens instead of logits; `openState` ends with those.
  const scored = (name: string): LoadedGraph | undefined =>
    graphs.get(name)?.outputPort("logits") && graphs.get(name);
  const denoise = scored("denoise");
  const round = scored("round");
  return {
    length: length!,
    dim: dim!,
    vocabulary,
    execution,
    async embed(tokens, wanted) {
      ofBatch(wanted);
      return (await run(graph("embed"), { tokens }, ["x"]))[0] as FloatArray;
    },
    async step({ batch: wanted, x, previousX0, noise, row, fixedMask, fixedX }) {
      ofBatch(wanted);
      const values = {
        x,
        self_cond: previousX0,
        x0_prev: previousX0,
        noise,
        coefficients: Float32Array.of(row.a, row.b, row.c, row.s),
        level: Float32Array.of(row.level),
        prior_scale: Float32Array.of(row.priorScale),
        fixed_mask: fixedMask,
        fixed_x: fixedX,
      };
      const [next, x0, tokens] = await run(step, values, ["x_next", "x0", "tokens"], row.level);
      return { x: next as FloatArray, x0: x0 as FloatArray, tokens: tokens as Int32Array };
    },
    ...(denoise !== undefined && {
      async denoise({
        batch: wanted,
        x,
        previousX0,
        point,
      }: Parameters<NonNullable<StepRunner["denoise"]>>[0]) {
        ofBatch(wanted);
        const values = {
          x,
          self_cond: previousX0,
          level: column(point.level, denoise, "level"),
          prior_scale: column(point.priorScale, denoise, "prior_scale"),
        };
        const [logits] = (await run(denoise, values, ["logits"])) as [FloatArray];
        return { logits, tokens: argmaxRows(logits, vocabulary) };
      },
    }),
    ...(round !== undefined && {
      async round(x: FloatArray, wanted: number): Promise<Rounded> {
        ofBatch(wanted);
        const [logits, tokens] = await run(round, { x }, ["logits", "tokens"]);
        return { logits: logits as FloatArray, tokens: tokens as Int32Array };
      },
    }),
    openState(start) {
      memory.check();
      ofBatch(start.batch);
      if (open) fail("generate/busy", "a generation of this model is under way", { help: "end it first" });
      open = true;
      return residentState(execution, start, vocabulary, () => {
        open = false;
      });
    },
    async dispose() {
      memory.destroy();
    },
  };
}
