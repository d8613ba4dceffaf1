// No random number is used twice: every (draw, row, position, category) of a generation is asked for once.

import { expect, test } from "vitest";
import { planTokens } from "../../src/diffusion/index.js";
import { decodeTokens } from "../../src/runtime/discrete/decode-tokens.js";
import type { TokenRunner } from "../../src/runtime/token-runner.js";

const [length, vocabulary] = [7, 5];

const network: TokenRunner = {
  length,
  vocabulary,
  // Any token but the mask.
  logits: async ({ tokens }) =>
    Float64Array.from({ length: tokens.length * vocabulary }, (_, at) =>
      (at + 1) % vocabulary === 0 ? -50 : 0,
    ),
  async dispose() {},
};

test.each([
  "first_hitting",
  "ancestral",
  "confidence",
  "ancestral with self-correction",
])("%s, in blocks longer than half the text", async (name) => {
  const [kind, corrected] = name.split(" with ");
  const plan = planTokens({
    state_space: { kind: "absorbing", vocab_size: vocabulary },
    noise_schedule: { family: "log_linear" },
    timesteps: { kind: "linspace", num_steps: 3 },
    sampler: {
      kind,
      blocks: { length: 5 },
      ...(kind === "confidence" && { temperature: 1 }),
      ...(corrected && { self_correction: { temperature: 1, max_steps: 20 } }),
    },
  } as never);
  const asked: string[] = [];
  const uniform = (...key: readonly number[]): number => {
    asked.push(key.join(" "));
    return (0.618 * asked.length) % 1;
  };
  let last: Int32Array | undefined;
  for await (const { tokens } of decodeTokens(network, { plan, batch: 2, noise: { uniform } })) last = tokens;
  expect(last).not.toContain(vocabulary - 1);
  expect(asked.length).toBeGreaterThan(2 * length);
  expect(asked.filter((key, i) => asked.indexOf(key) !== i)).toEqual([]);
});
