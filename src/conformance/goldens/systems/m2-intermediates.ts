// What M2-BERT's modules give on the way: which values of the lowered graph they are, and in which layout upstream
// recorded them.

import type { Computed } from "../compare.js";
import { type Each, mapEach } from "../each.js";
import { type GoldenCase, hasTensor, tensorOf } from "../golden-case.js";
import { firstOfLast, realSpectrum, swapLastAxes } from "../layout.js";
import type { Probes } from "../probes.js";
import { hasReverse } from "./implicit-filter.js";

type Numbers = Readonly<Record<string, Float64Array>>;
type Change = (values: Float64Array) => Float64Array;

/** Values inside the graph by upstream's names; `at` is the canonical prefix of the mixer, `prefix` upstream's. */
export function m2Probes(golden: GoldenCase, probes: Probes, at: string, prefix: string) {
  return { ...mixerProbes(probes, at), ...layerProbes(probes), ...filterProbes(golden, probes, prefix) };
}

function mixerProbes(probes: Probes, at: string) {
  const [short, main, residual] = probes.ops("long_conv");
  return {
    "mid.in_linear": probes.reading(`${at}in_proj.weight`),
    "mid.short_filter": probes.after(short?.results[0], "add"),
    "mid.long_conv_in": main?.operands[0],
    "mid.long_conv_out": main?.results[0],
    "mid.residual_conv_out": residual?.results[0],
    "mid.attention": probes.reading(`${at}out_proj.weight`),
    "mid.layernorm": probes.reading("norm1.weight"),
  };
}

/** Outputs of the two matrices of the MLP: the op that adds the bias, or the reshape behind the product. */
function layerProbes(probes: Probes) {
  return {
    "mid.mlp.wo": probes.reading("ffn.down.bias") ?? probes.reading("ffn.down.weight"),
    "mid.mlp.gated_layers": gatedLayers(probes),
  };
}

function gatedLayers(probes: Probes) {
  for (const name of ["ffn.gate_up.weight", "ffn.up.weight"]) {
    let value = probes.reading(name);
    // A block-diagonal product is [blocks, rows, width]: transpose, reshape and, where it was padded, slice follow.
    const product = value;
    for (const op of ["transpose", "reshape"]) value = probes.after(value, op);
    const result = value ?? product;
    if (result === undefined) continue;
    const cuts = probes.readersOf(result).filter((reader) => reader.name === "slice");
    return cuts.length === 1 ? cuts[0]!.results[0] : result;
  }
  return undefined;
}

/** Taps before they are put in order: network times window, forward then reverse, main filter then residual. */
function filterProbes(golden: GoldenCase, probes: Probes, prefix: string) {
  const found: Record<string, ReturnType<Probes["hinted"]>> = {};
  for (const [n, filter] of ["filter_fn", "filter_fn2"].entries()) {
    const [forward, reverse] = probes
      .readersOf(probes.hinted("window", n))
      .filter((op) => op.name === "mul")
      .map((op) => op.results[0]);
    found[`mid.${filter}.k_fwd`] = forward;
    if (hasReverse(golden, `${prefix}${filter}`)) found[`mid.${filter}.k_rev`] = reverse;
  }
  return found;
}

/** The kernel of length 2L as upstream puts it together: forward taps, then the reverse ones backwards; per channel. */
function combined(
  forward: Float64Array,
  reverse: Float64Array | undefined,
  length: number,
  width: number,
): Float64Array[] {
  return Array.from({ length: width }, (_, c) => {
    const row = new Float64Array(2 * length);
    row.set(forward.subarray(c * length, (c + 1) * length));
    if (reverse !== undefined) row.set(reverse.slice(c * length, (c + 1) * length).reverse(), length);
    return row;
  });
}

/** Upstream's tensors in the order [batch, positions, channels]. */
const positionsFirst = [
  "mid.in_linear",
  "mid.attention",
  "mid.mlp.gated_layers",
  "mid.mlp.wo",
  "mid.layernorm",
];
/** Upstream's tensors in the order [batch, channels, positions]. */
const channelsFirst = ["mid.short_filter", "mid.long_conv_in", "mid.long_conv_out", "mid.residual_conv_out"];

/** The intermediates that the case recorded, from the outputs of the probed graph. */
export function intermediates(
  golden: GoldenCase,
  outputs: Each<Numbers>,
  [batch, length, width]: readonly [number, number, number],
): Computed[] {
  const one = (name: string, change: Change): Computed[] =>
    !hasTensor(golden, name) || outputs.reference[name] === undefined
      ? []
      : [{ name, ...mapEach(outputs, (values) => change(values[name]!)) }];
  const swapped: Change = (values) =>
    swapLastAxes({ shape: [batch, length, values.length / (batch * length)], data: values }).data;
  // Filters are made for l_max positions; upstream records the first L.
  const taps: Change = (values) =>
    swapLastAxes({ shape: [length, width], data: values.slice(0, length * width) }).data;
  const results = [
    ...positionsFirst.flatMap((name) => one(name, (values) => values)),
    ...channelsFirst.flatMap((name) => one(name, swapped)),
  ].map((computed) =>
    // Upstream records Conv1d before it drops the positions after the last; those have no counterpart.
    computed.name === "mid.short_filter"
      ? { ...computed, expected: firstOfLast(tensorOf(golden, computed.name), length).data }
      : computed,
  );
  for (const filter of ["filter_fn", "filter_fn2"]) {
    const [forward, reverse] = [`mid.${filter}.k_fwd`, `mid.${filter}.k_rev`];
    results.push(...one(forward, taps), ...one(reverse, taps));
    const spectrum = `mid.${filter}.K_hat`;
    if (!hasTensor(golden, spectrum)) continue;
    const whole = (values: Numbers): Float64Array => {
      const back = values[reverse];
      const rows = combined(taps(values[forward]!), back && taps(back), length, width);
      return realSpectrum(rows, 2 * length);
    };
    results.push({ name: spectrum, ...mapEach(outputs, whole) });
  }
  return results;
}
