// A convolution that sees its own block and those before it is a causal one plus, within each block, the lags below 0:
//   y[t] = sum_(s <= t) K[t-s] x[s] + sum_(s > t, same block) K[t-s] x[s]
// The second sum is the same convolution of at most block - 1 taps on every block, so blocks become rows of the batch.

import type { Dim } from "../ir/dim.js";
import { rewriteModule, rule } from "../ir/rewrite.js";
import { padded, reshaped, sliced } from "./fft/view.js";
import type { Pass } from "./pass.js";

const expand = rule("long_conv", ({ x, k, skip }, { lag0, block }, b) => {
  if (block === 0) return undefined;
  const [batch, length, width] = x.type.shape as [Dim, Dim, Dim];
  const [sequence, taps] = [length.value, k.type.shape[0]!.value];
  if (sequence === undefined || taps === undefined) return undefined;
  if (block >= sequence) return [b.emit("long_conv", { x, k, skip }, { lag0 })];
  // Lags beyond the sequence never contribute.
  const after = Math.min(taps - lag0, sequence);
  const causal = sliced(b, k, 0, lag0, after);
  const past = b.emit("long_conv", { x, k: causal, skip }, { lag0: 0 });
  const negative = Math.min(lag0, block - 1);
  if (negative === 0) return [past];
  const count = Math.ceil(sequence / block);
  const whole = padded(b, x, 1, 0, count * block - sequence);
  const blocks = reshaped(b, whole, [batch.times(count), block, width]);
  // Lag 0 stands in both sums: here its tap is 0.
  const within = padded(b, sliced(b, k, 0, lag0 - negative, negative), 0, 0, 1);
  const own = b.emit("long_conv", { x: blocks, k: within }, { lag0: negative });
  const line = sliced(b, reshaped(b, own, [batch, count * block, width]), 1, 0, sequence);
  return [b.emit("add", { a: past, b: line }, {})];
});

export const expandBlocks: Pass = {
  name: "expand-blocks",
  summary: "write block-causal convolutions as a causal one and one within each block",
  run: (module) => rewriteModule(module, "expand-blocks", [expand]),
};
