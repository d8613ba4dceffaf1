// Decoders that upstream's data drives with a stub network: h = E[x] + P[position]; h + mean(h)/2 + 0.7 h at the position
// before (cyclic); logits h W^T + b. The stub is the case's, not upstream's, and only the host computes it.

import { planTokens, type TokenPlan } from "../../../diffusion/index.js";
import { decodeTokens } from "../../../runtime/discrete/decode-tokens.js";
import type { TokenDraws } from "../../../runtime/discrete/driver.js";
import type { FloatArray } from "../../../runtime/step-runner.js";
import type { BlockSession, TokenRunner } from "../../../runtime/token-runner.js";
import { bug } from "../../../support/diagnostic.js";
import { type Each, mapEachInTurn } from "../each.js";
import { type GoldenCase, type GoldenTensor, tensorOf, weightOf } from "../golden-case.js";
import { entry, joined } from "../layout.js";

/** The stub's logits of a sequence by itself, whatever its length. */
type StubLogits = (tokens: Int32Array, batch: number) => Float64Array;

function stubLogits(golden: GoldenCase): { readonly logits: StubLogits; readonly vocabulary: number } {
  const [table, positions, head, bias] = ["E", "P", "W", "b"].map((name) =>
    weightOf(golden, `stub.${name}`),
  ) as [GoldenTensor, GoldenTensor, GoldenTensor, GoldenTensor];
  const [n = 1, width = 1] = head.shape;
  const logits: StubLogits = (tokens, batch) => {
    const length = tokens.length / batch;
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
    return out;
  };
  return { logits, vocabulary: n };
}

/** The stub network of a case for sequences of `length`; with `shift`, position i gets the logits of i - 1. */
export function stubNetwork(golden: GoldenCase, length: number, shift = false): Each<TokenRunner> {
  const { logits, vocabulary } = stubLogits(golden);
  return {
    reference: {
      length,
      vocabulary,
      async logits({ batch, tokens }) {
        const out = logits(tokens, batch);
        return shift ? shifted(out, batch, length, vocabulary) : out;
      },
      async dispose() {},
    },
  };
}

/**
 * The stub network for blocks of `size` from left to right: it sees what is settled and the block under way, and nothing
 * behind. Where it has fewer positions than the text, it sees the block by itself, as it does behind a cache that it
 * does not read.
 */
export function stubOfBlocks(golden: GoldenCase, length: number, size: number): Each<TokenRunner> {
  const { logits, vocabulary: n } = stubLogits(golden);
  const alone = weightOf(golden, "stub.P").shape[0]! < length;
  const open = (batch: number): BlockSession => {
    const settled = Array.from({ length: batch }, (): number[] => []);
    const block = (tokens: Int32Array, row: number) => tokens.subarray(row * size, (row + 1) * size);
    const logitsOf = (tokens: Int32Array): FloatArray => {
      const seen = settled.map((before, row) => [...(alone ? [] : before), ...block(tokens, row)]);
      const width = seen[0]!.length;
      const out = logits(Int32Array.from(seen.flat()), batch);
      return joined(
        seen.map((_, row) => out.subarray(((row + 1) * width - size) * n, (row + 1) * width * n)),
      );
    };
    return {
      size,
      logits: async ({ tokens }) => logitsOf(tokens),
      async settle({ tokens }, count) {
        const answer = logitsOf(tokens);
        for (const [row, before] of settled.entries()) before.push(...block(tokens, row).slice(0, count));
        return answer;
      },
      close() {},
    };
  };
  const openBlocks: NonNullable<TokenRunner["openBlocks"]> = (batch, count) =>
    Array.from({ length: count }, () => open(batch));
  return { reference: { ...stubNetwork(golden, length).reference, openBlocks } };
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
  /** The first state, [B, L]: what is not masked in it is given. */
  readonly start: Int32Array;
  readonly draws: TokenDraws;
  /** Upstream goes on to call the network when a block has no masks left, until its steps are over. */
  readonly idles?: boolean;
  /** Changes the plan where no description says upstream's. */
  readonly planned?: (plan: TokenPlan) => TokenPlan;
}

/** The first state of a run as the case recorded it. */
export function firstState(golden: GoldenCase, run: string): Int32Array {
  return Int32Array.from(entry(tensorOf(golden, `traj.${run}.x`), 0));
}

/** Decodes a prompt with every runner. */
export function decodePrompt(
  runners: Each<TokenRunner>,
  { sampler, times, mask, start, draws, idles = false, planned = (plan) => plan }: DecodingOptions,
): Promise<Each<DecodingRun>> {
  return mapEachInTurn(runners, async (runner) => {
    const { length, vocabulary } = runner;
    const batch = start.length / length;
    const described = planTokens({
      state_space: { kind: "absorbing", vocab_size: vocabulary, mask_token_id: mask },
      noise_schedule: { family: "power" },
      timesteps: { kind: "table", values: times },
      sampler,
    });
    const plan = planned(described);
    const given = start.map((token) => (token === mask ? 0 : 1));
    const fixed = { tokens: start.slice(), mask: Uint8Array.from(given) };
    const states: Int32Array[] = [start];
    const calls: FloatArray[] = [];
    const recorded = async (asked: Promise<FloatArray>): Promise<FloatArray> => {
      const logits = await asked;
      calls.push(Float64Array.from(logits));
      return logits;
    };
    const recording: TokenRunner = {
      ...runner,
      logits: (inputs) => recorded(runner.logits(inputs)),
      ...(runner.openBlocks && {
        openBlocks: (rows, count) =>
          runner.openBlocks!(rows, count).map((session) => ({
            ...session,
            logits: (inputs) => recorded(session.logits(inputs)),
          })),
      }),
    };
    const ask = (tokens: Int32Array) => recording.logits({ batch, tokens, level: new Array(batch).fill(0) });
    const idle = async (steps: number): Promise<void> => {
      for (let k = 0; idles && k < steps; k++) {
        const last = states.at(-1)!;
        await ask(last);
        if (sampler.guidance !== undefined) await ask(last.map((t, at) => (given[at] === 1 ? mask : t)));
        states.push(last);
      }
    };
    const options = { plan, batch, fixed, noise: { ...draws, start } };
    let [block, made] = [0, 0];
    for await (const state of decodeTokens(recording, options)) {
      const over = state.done || state.block !== block;
      if (over) await idle(plan.rows.length - made);
      if (state.done) {
        // Under guidance a step asks twice, with the prompt and without; upstream stacks the two.
        const each = sampler.guidance === undefined ? 1 : 2;
        const stacked = calls.flatMap((_, i) => (i % each === 0 ? [joined(calls.slice(i, i + each))] : []));
        return { states, calls: stacked };
      }
      [block, made] = [state.block, over ? 1 : made + 1];
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
