// Shift filters against the definition: a state that is the last inputs, stepped position by position.
import { expect, test } from "vitest";
import { expectEach, runMixer, type Sizes } from "./mixer-alone.js";

/** s[t] = shift(s[t-1]) + B x[t], y[t] = C s[t], per channel; `reverse` runs from the end, one position behind. */
function stepped(
  { length, width }: Sizes,
  x: Float64Array,
  input: ArrayLike<number>,
  output: ArrayLike<number>,
  states: number,
  reverse: boolean,
): Float64Array {
  const y = new Float64Array(length * width);
  for (let c = 0; c < width; c++) {
    let state = new Float64Array(states);
    for (let step = 0; step < length; step++) {
      const from = reverse ? length - 1 - step : step;
      const moved = new Float64Array(states);
      for (let m = 0; m < states; m++)
        moved[m] = (m > 0 ? state[m - 1]! : 0) + input[c * states + m]! * x[from * width + c]!;
      state = moved;
      const to = reverse ? from - 1 : from;
      if (to < 0) continue;
      for (let m = 0; m < states; m++) y[to * width + c]! += output[c * states + m]! * state[m]!;
    }
  }
  return y;
}

const plain = { kind: "long_conv", in_proj: { kind: "none" }, out_proj: { kind: "none" }, skip: "none" };

test.each([
  [1, 3, 1],
  [7, 3, 4],
  [13, 2, 13],
  [6, 2, 9],
])("a causal filter at length %i, width %i, %i states", async (length, width, states) => {
  const run = await runMixer(
    { ...plain, filter: { kind: "shift", span: "causal", states } },
    { batch: 1, length, width },
  );
  const [input, output] = [run.parameter("filters.0.input"), run.parameter("filters.0.residues")];
  expectEach(run, stepped(run, run.x, input, output, states, false));
});

test("a bidirectional filter runs a second model from the end, one position behind", async () => {
  const run = await runMixer(
    { ...plain, filter: { kind: "shift", states: 5 } },
    { batch: 1, length: 11, width: 3 },
  );
  const part = (twin: string, reverse: boolean) =>
    stepped(
      run,
      run.x,
      run.parameter(`filters.0.${twin}input`),
      run.parameter(`filters.0.${twin}residues`),
      5,
      reverse,
    );
  const [forward, backward] = [part("", false), part("reverse.", true)];
  expectEach(
    run,
    forward.map((value, i) => value + backward[i]!),
  );
  expect(backward.some((value) => Math.abs(value) > 1e-3)).toBe(true);
});
