// A generation whose state stays on the device. x and the previous x0 are inputs of @step; after a step its outputs
// are copied onto them in the same submit, and the tokens go to a buffer that the host reads.

import { coefficientsOf, levelInputs, repeated } from "../../diffusion/rows.js";
import { fail } from "../../support/diagnostic.js";
import { argmaxRows } from "../margins.js";
import type { FloatArray, ResidentStart, ResidentState } from "../step-runner.js";
import type { Execution } from "./execution.js";
import type { CommandEncoder } from "./gpu.js";
import { type LoadedGraph, type Range, unpacked } from "./graph.js";
import type { CopyTime } from "./time-rows.js";

/** Numbers that hold for every text or position, over and over where the input takes a row of each. */
export const filled =
  (to: LoadedGraph) =>
  (values: readonly number[], name: string): Float64Array =>
    repeated(values, (to.input(name)?.bytes ?? 0) / 4);

/** Begins a generation; `closed` is called once, by `close`. */
export function residentState(
  { graph, submit, copyTime }: Execution & { readonly copyTime: CopyTime },
  { plan, x, fixedX, classes }: ResidentStart,
  vocabulary: number,
  closed: () => void,
): ResidentState {
  const step = graph("step");
  const previous = ["self_cond", "x0_prev"] as const;
  step.write("x", x);
  for (const name of previous) step.write(name, new Float32Array(x.length));
  if (fixedX !== undefined) step.write("fixed_x", fixedX);
  if (classes !== undefined) step.write("class", classes);
  let mask: Uint8Array | undefined;
  const copy = (encoder: CommandEncoder, from: Range, to: Range | undefined): void => {
    if (to !== undefined)
      encoder.copyBufferToBuffer(from.buffer, from.offset, to.buffer, to.offset, from.bytes);
  };
  /** Given rows onto x of a graph: runs of positions, a copy each. */
  const overwrite = (encoder: CommandEncoder, fixedMask: Uint8Array, x: Range): void => {
    const given = step.input("fixed_x");
    if (given === undefined) return;
    const row = x.bytes / fixedMask.length;
    for (let from = 0; from < fixedMask.length; from++) {
      if (fixedMask[from] === 0) continue;
      let to = from;
      while (fixedMask[to] === 1) to++;
      const bytes = (to - from) * row;
      encoder.copyBufferToBuffer(
        given.buffer,
        given.offset + from * row,
        x.buffer,
        x.offset + from * row,
        bytes,
      );
      from = to;
    }
  };
  const tokensOf = (to: LoadedGraph, bytes: ArrayBuffer): Int32Array =>
    unpacked(to.outputPort("tokens")!, bytes) as Int32Array;

  return {
    async step({ row, noise, fixedMask, fixedX }) {
      if (fixedX !== undefined) step.write("fixed_x", fixedX);
      if (noise !== undefined) step.write("noise", noise);
      if (mask !== fixedMask) step.write("fixed_mask", fixedMask);
      mask = fixedMask;
      step.write("coefficients", filled(step)(coefficientsOf(row), "coefficients"));
      levelInputs(row, (values, name) => step.write(name, filled(step)(values, name)));
      const [tokens] = await submit(
        (encoder) => {
          copyTime(encoder, row.level, step);
          step.encode(encoder);
          copy(encoder, step.output("x_next"), step.input("x"));
          for (const name of previous) copy(encoder, step.output("x0"), step.input(name));
        },
        step.outputPort("tokens") ? [step.output("tokens")] : [],
      );
      return tokens ? tokensOf(step, tokens) : new Int32Array();
    },
    async final(fixedMask, fixedX) {
      if (fixedX !== undefined) step.write("fixed_x", fixedX);
      const last = graph(plan.final);
      last.write("fixed_mask", fixedMask);
      if (classes !== undefined) last.write("class", classes);
      const point = plan.finalRow;
      if (plan.final === "denoise") {
        if (point === undefined)
          fail("generate/no-final", "the plan ends with @denoise and has no last point");
        levelInputs(point!, (values, name) => last.write(name, filled(last)(values, name)));
      }
      const wanted = ["logits", "tokens", "latents"].filter((name) => last.outputPort(name) !== undefined);
      const read = await submit(
        (encoder) => {
          if (point !== undefined) copyTime(encoder, point.level, last);
          const target = last.input("x")!;
          copy(encoder, step.input("x")!, target);
          overwrite(encoder, fixedMask, target);
          const before = last.input("self_cond");
          if (before !== undefined) copy(encoder, step.input("self_cond")!, before);
          last.encode(encoder);
        },
        wanted.map((name) => last.output(name)),
      );
      const at = (name: string): ArrayBuffer | undefined => read[wanted.indexOf(name)];
      const floats = (name: string): FloatArray | undefined => at(name) && new Float32Array(at(name)!);
      const [logits, latents] = [floats("logits"), floats("latents")];
      const best = (): Int32Array => (logits ? argmaxRows(logits, vocabulary) : new Int32Array());
      const tokens = at("tokens") ? tokensOf(last, at("tokens")!) : best();
      return { tokens, ...(logits && { logits }), ...(latents && { latents }) };
    },
    async read() {
      const wanted = [step.input("x")!, step.output("x0")];
      const [state, predicted] = await submit(() => undefined, wanted);
      return { x: new Float32Array(state!), x0: new Float32Array(predicted!) };
    },
    close: closed,
  };
}
