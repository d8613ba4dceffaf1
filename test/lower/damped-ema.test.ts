// Mega's moving averages against the recurrence that they are: u = a x + (1 - a d) u, one position after the other.
import { expect, test } from "vitest";
import { expectEach, type MixerRun, runMixer } from "./mixer-alone.js";

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const silu = (x: number): number => x * sigmoid(x);

/** The averages of one channel in one direction, from parameters below `at`. */
function averaged(
  run: MixerRun,
  at: string,
  line: readonly number[],
  channel: number,
  states: number,
  damped: boolean,
) {
  const value = (name: string, n: number): number => run.parameter(`${at}.${name}`)[channel * states + n]!;
  const state = new Float64Array(states);
  return line.map((x) => {
    let sum = 0;
    for (let n = 0; n < states; n++) {
      const a = sigmoid(value("alpha", n));
      const d = damped ? sigmoid(value("delta", n)) : 1;
      state[n] = a * value("input", n) * x + (1 - a * d) * state[n]!;
      sum += (value("output", n) * state[n]!) / Math.sqrt(states);
    }
    return sum;
  });
}

test.each([
  { damping: true, states: 4, causal: false, built: 9 },
  { damping: true, states: 3, causal: true, built: 5 },
  { damping: false, states: 1, causal: false, built: 20 },
])("Mega's layer, %o", async ({ damping, states, causal, built }) => {
  const [length, width] = [9, 3];
  const sides = causal ? { span: "causal" } : { reverse_filter: "shared_lag0" };
  const run = await runMixer(
    {
      kind: "long_conv",
      in_proj: { kind: "none" },
      out_proj: { kind: "none" },
      activation: "silu",
      filter: { kind: "damped_ema", damping, states, length: built, ...sides },
    },
    { batch: 1, length, width },
  );
  if (!damping) expect(() => run.parameter("filters.0.delta")).toThrow();
  const y = new Float64Array(length * width);
  for (let c = 0; c < width; c++) {
    const line = Array.from(run.x).filter((_, i) => i % width === c);
    const forward = averaged(run, "filters.0", line, c, states, damping);
    const backward = causal
      ? line.map(() => 0)
      : averaged(run, "filters.0.reverse", [...line].reverse(), c, states, damping).reverse();
    line.forEach((x, t) => {
      y[t * width + c] = silu(forward[t]! + backward[t]! + run.parameter("skip.0")[c]! * x);
    });
  }
  expectEach(run, y);
});
