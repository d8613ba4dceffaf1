// Decoders that upstream's data drives with a stub network: h = E[x] + P[position]; h + mean(h)/2 + 0.7 h at the position
// before (cyclic); logits h W^T + b. The stub is the case's, not upstream's, and only the host computes it.

import { planTokens, type TokenPlan } from "../../../diffusion/index.js";
import { decodeTokens } from "../../../runtime/discrete/decode-tokens.js";
import type { TokenDraws } from "../../../runtime/discrete/driver.js";
import type { FloatArray } from "../../../runtime/step-runner.js";
import type { TokenRunner } from "../../../runtime/token-runner.js";
import { bug } from "../../../support/diagnostic.js";
import { type Each, mapEachInTurn } from "../each.js";
import { type GoldenCase, weightOf } from "../golden-case.js";
import { joined } from "../layout.js";

/** The stub network of a case for sequences of `length`; with `shift`, position i gets the logits of i - 1. */
export function stubNetwork(golden: GoldenCase, length: number, shift = false): Each<TokenRunner> {
  const [table, positions, head, bias] = ["E", "P", "W", "b"].map((name) =>
    weightOf(golden, `stub.${name}`),
  ) as [
    ReturnType<typeof weightOf>,
    ReturnType<typeof weightOf>,
    ReturnType<typeof weightOf>,
    ReturnType<typeof weightOf>,
  ];
  const [n = 1, width = 1] = head.shape;
  return {
    reference: {
      length,
      vocabulary: n,
      async logits({ batch, tokens }) {
        const out = new Float64Array(batch * length * n);
        for (let row = 0; row < batch; row++) {
          const h = Array.from({ length }, (_, i) =>
            Array.from(
              { length: width },
              (_u, c) => table.data[tokens[row * length + i]! * width + c]! + positions.data[i * width + c]!,
            ),
          );
          const mean = Array.from({ length: width }, (_, c) => h.reduce((sum, x) => sum + x[c]!, 0) / length);
          for (let i = 0; i < length; i++) {
            const mixed = h[i]!.map(
              (value, c) => value + 0.5 * mean[c]! + 0.7 * h[(i + length - 1) % length]![c]!,
            );
            for (let v = 0; v < n; v++)
              out[(row * length + i) * n + v] = mixed.reduce(
                (sum, value, c) => sum + value * head.data[v * width + c]!,
                bias.data[v]!,
              );
          }
        }
        return shift ? shifted(out, batch, length, n) : out;
      },
      async dispose() {},
    },
  };
}

/** Logits of position i at i + 1; position 0 keeps its own. */
export function shifted(logits: FloatArray, batch: number, length: number, n: number): Float64Array {
  const out = Float64Array.from(logits);
  for (let row = 0; row < batch; row++)
    for (let i = 1; i < length; i++)
      for (let v = 0; v < n; v++) out[(row * length + i) * n + v] = logits[(row * length + i - 1) * n + v]!;
  return out;
}

/** One decoding run: states before every call and the last one, and what the network said. */
export interface DecodingRun {
  readonly states: readonly Int32Array[];
  readonly calls: readonly FloatArray[];
}

export interface DecodingOptions {
  readonly sampler: TokenPlan["sampler"];
  /** Times of the grid: steps of a block and one more. */
  readonly times: readonly number[];
  readonly mask: number;
  /** [B, P]; the rest of the sequence is masked. */
  readonly prompt: { readonly shape: readonly number[]; readonly data: ArrayLike<number> };
  readonly draws: TokenDraws;
}

/** Decodes a prompt with every runner. */
export function decodePrompt(
  runners: Each<TokenRunner>,
  { sampler, times, mask, prompt, draws }: DecodingOptions,
): Promise<Each<DecodingRun>> {
  const [batch = 1, given = 0] = prompt.shape;
  return mapEachInTurn(runners, async (runner) => {
    const { length, vocabulary } = runner;
    const plan = planTokens({
      state_space: { kind: "absorbing", vocab_size: vocabulary, mask_token_id: mask },
      noise_schedule: { family: "power" },
      timesteps: { kind: "table", values: times },
      sampler,
    });
    const start = new Int32Array(batch * length).fill(mask);
    const fixed = { tokens: start.slice(), mask: new Uint8Array(start.length) };
    for (let row = 0; row < batch; row++)
      for (let i = 0; i < given; i++) {
        start[row * length + i] = prompt.data[row * given + i]!;
        fixed.tokens[row * length + i] = prompt.data[row * given + i]!;
        fixed.mask[row * length + i] = 1;
      }
    const states: Int32Array[] = [start];
    const calls: FloatArray[] = [];
    const recording: TokenRunner = {
      ...runner,
      async logits(inputs) {
        const logits = await runner.logits(inputs);
        calls.push(Float64Array.from(logits));
        return logits;
      },
    };
    const options = { plan, batch, fixed, noise: { ...draws, start } };
    for await (const state of decodeTokens(recording, options)) {
      // Under guidance a step asks twice, with the prompt and without; upstream stacks the two.
      const each = sampler.guidance === undefined ? 1 : 2;
      const stacked = calls.flatMap((_, i) => (i % each === 0 ? [joined(calls.slice(i, i + each))] : []));
      if (state.done) return { states, calls: stacked };
      states.push(state.tokens);
    }
    return bug("a generation ended without its last state");
  });
}

/** No random numbers: for decoders that take the best. */
export const noDraws: TokenDraws = { uniform: () => bug("a decoder drew a number where upstream drew none") };

/** `count` evenly spaced times from 1 to `to`, and as many steps less one. */
export function timesOf(count: number, to: number): number[] {
  return Array.from({ length: count }, (_, i) => (count === 1 ? 1 : 1 + (i * (to - 1)) / (count - 1)));
}
