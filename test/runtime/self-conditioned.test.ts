// Networks of tokens that see their previous logits: what every call is told of the one before, on a network that writes
// down what it is asked.

import { expect, test } from "vitest";
import type { TokenSamplerDescription } from "../../src/diffusion/discrete/sampler-description.js";
import { planTokens } from "../../src/diffusion/index.js";
import { decodeTokens } from "../../src/runtime/discrete/decode-tokens.js";
import type { DecodeOptions } from "../../src/runtime/discrete/driver.js";
import type { TokenInputs, TokenRunner } from "../../src/runtime/token-runner.js";

const [length, vocabulary, batch, steps] = [7, 5, 2, 3];

/** A call and what it gave: copies, as they were then. */
interface Call extends TokenInputs {
  readonly gave: Float64Array;
}

/** A network whose logits are some numbers of the tokens, and what it was asked. */
function recording(options: Partial<TokenRunner> = {}): {
  readonly runner: TokenRunner;
  readonly calls: Call[];
} {
  const calls: Call[] = [];
  const runner: TokenRunner = {
    length,
    vocabulary,
    selfConditioned: true,
    async logits(inputs) {
      const sum = inputs.tokens.reduce((s, token, at) => s + (at + 1) * token, calls.length);
      const gave = Float64Array.from(
        { length: batch * length * vocabulary },
        (_, i) => 2 * Math.sin(sum + i * i),
      );
      calls.push({ ...inputs, gave: gave.slice() });
      return gave;
    },
    async dispose() {},
    ...options,
  };
  return { runner, calls };
}

function plan(kind: "absorbing" | "uniform", sampler: Partial<TokenSamplerDescription>) {
  return planTokens({
    state_space: { kind, vocab_size: vocabulary, mask_token_id: vocabulary - 1 },
    noise_schedule: { family: "power" },
    timesteps: { kind: "table", values: Array.from({ length: steps + 1 }, (_, i) => 1 - i / steps) },
    time_conditioning: { input: "zero" },
    sampler: { kind: "confidence", ...sampler },
  });
}

async function decode(runner: TokenRunner, options: DecodeOptions): Promise<void> {
  for await (const _ of decodeTokens(runner, { batch, noise: 3, ...options }));
}

const renoising: Partial<TokenSamplerDescription> = {
  temperature: 0.8,
  final_temperature: 0.4,
  renoise: "uniform",
  blocks: { length: 4 },
};

test.each([
  false,
  true,
])("a call sees what the one before gave and was read at; a block begins anew (hook: %s)", async (hook) => {
  const { runner, calls } = recording();
  const onLogits = (logits: { fill(value: number, from: number, to: number): unknown }): void => {
    logits.fill(-3, 0, 4);
  };
  await decode(runner, { plan: plan("uniform", renoising), ...(hook && { onLogits }) });
  expect(calls).toHaveLength(2 * steps);
  for (const [k, { previous }] of calls.entries()) {
    if (k % steps === 0) {
      expect(previous).toBeUndefined();
      continue;
    }
    const read = calls[k - 1]!.gave.map((value, i) => (hook && i < 4 ? -3 : value));
    expect([...previous!.logits]).toEqual([...read]);
    // 0.8, 0.6, 0.4: the temperature of the step before.
    expect(previous!.temperature).toBeCloseTo(1 - 0.2 * (k % steps), 12);
  }
});

test("arrays that a hook may have changed are not the runner's own", async () => {
  const given: unknown[] = [];
  const { runner, calls } = recording();
  const keeping = {
    ...runner,
    logits: async (inputs: TokenInputs) => given[given.push(await runner.logits(inputs)) - 1] as Float64Array,
  };
  await decode(keeping, { plan: plan("uniform", renoising) });
  expect(calls[1]!.previous!.logits).toBe(given[0]);
  calls.length = given.length = 0;
  await decode(keeping, { plan: plan("uniform", renoising), onLogits() {} });
  expect(calls[1]!.previous!.logits).not.toBe(given[0]);
});

test("under guidance both calls see the guided logits", async () => {
  const { runner, calls } = recording();
  const fixed = {
    tokens: new Int32Array(batch * length).fill(1),
    mask: Uint8Array.from({ length: batch * length }, (_, i) => (i % length < 2 ? 1 : 0)),
  };
  await decode(runner, { plan: plan("absorbing", { guidance: { scale: 1.5 } }), fixed });
  expect(calls).toHaveLength(2 * steps);
  for (let k = 2; k < calls.length; k += 2) {
    const [l, u] = [calls[k - 2]!.gave, calls[k - 1]!.gave];
    const guided = l.map((value, i) => u[i]! + 2.5 * (value - u[i]!));
    for (const { previous } of [calls[k]!, calls[k + 1]!]) {
      expect([...previous!.logits]).toEqual([...guided]);
      expect(previous!.temperature).toBe(0);
    }
  }
  expect(calls[0]!.previous).toBeUndefined();
  expect(calls[1]!.previous).toBeUndefined();
});

test("samplers that draw from weights say their temperature", async () => {
  for (const kind of ["ancestral", "first_hitting"]) {
    const { runner, calls } = recording();
    await decode(runner, { plan: plan("absorbing", { kind, temperature: 0.7 }) });
    expect(calls.length).toBeGreaterThan(2);
    for (const { previous } of calls.slice(1)) expect(previous!.temperature).toBe(0.7);
  }
});

test("a state that did not change is asked for again where the answer may be another", async () => {
  // Every proposal is the mask, so nothing is ever placed.
  const masks = Float64Array.from({ length: batch * length * vocabulary }, (_, i) =>
    i % vocabulary === vocabulary - 1 ? 9 : 0,
  );
  const asked = async (selfConditioned: boolean): Promise<number> => {
    let calls = 0;
    const logits = async (): Promise<Float64Array> => {
      calls++;
      return masks;
    };
    await decode(recording({ selfConditioned, logits }).runner, { plan: plan("absorbing", {}) });
    return calls;
  };
  expect(await asked(false)).toBe(1);
  expect(await asked(true)).toBe(steps);
});
