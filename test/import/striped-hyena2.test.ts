// The three gated convolutions of StripedHyena 2 (short, medium, modal), imported from one block of a checkpoint and held to
// vortex's formula in plain loops.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { loadModel } from "../../src/api/load.js";
import { importCheckpoint } from "../../src/index.js";
import { evaluate } from "../../src/ir/evaluate.js";
import { tensor } from "../../src/ir/tensor.js";
import { difference, linear, numbers, type Rows, stored, type Weights, weightsOf } from "./plain.js";

const work = mkdtempSync(join(tmpdir(), "dlmc-striped-"));
afterAll(() => rmSync(work, { recursive: true, force: true }));

const [width, length, groups, states] = [6, 11, 3, 4];

interface Filter {
  readonly name: string;
  readonly shapes: Readonly<Record<string, readonly number[]>>;
  /** h[lag] of a group. */
  tap(weights: Weights, group: number, lag: number): number;
}

const explicit = (name: string, taps: number, at: (lag: number) => number): Filter => ({
  name,
  shapes: { "filter.h": [groups, 1, taps], ...(taps >= 128 && { "filter.D": [width] }) },
  tap: (weights, group, lag) => (lag < taps ? weights["filter.h"]!.data[group * taps + at(lag)]! : 0),
});

const filters: readonly Filter[] = [
  // Conv1d of 7 taps: the last one is lag 0.
  explicit("short", 7, (lag) => 6 - lag),
  // 128 taps through an FFT: the first one is lag 0.
  explicit("medium", 128, (lag) => lag),
  {
    name: "modal",
    shapes: {
      "filter.log_poles": [groups, states, 1],
      "filter.residues": [groups, states],
      "filter.D": [width],
    },
    tap: (weights, group, lag) => {
      const [poles, residues] = ["log_poles", "residues"].map((name) => weights[`filter.${name}`]!.data);
      let sum = 0;
      for (let n = 0; n < states; n++)
        sum += residues![group * states + n]! * Math.exp(poles![group * states + n]! * lag);
      return sum;
    },
  },
];

/** projections, three taps per channel, x2 and x1 and v; x2 (h * (x1 v) + D x1 v); out_filter_dense. */
function mixer(x: Rows, weights: Weights, filter: Filter, interleaved: boolean): Rows {
  const z = linear(x, weights, "projections");
  const [short, bias] = [
    weights["filter.short_filter_weight"]!.data,
    weights["filter.short_filter_bias"]!.data,
  ];
  const convolved = z.map((_, t) =>
    z[0]!.map((_v, c) => {
      let sum = bias[c]!;
      for (let k = 0; k < 3; k++) if (t - 2 + k >= 0) sum += short[3 * c + k]! * z[t - 2 + k]![c]!;
      return sum;
    }),
  );
  const stream = (t: number, which: number, c: number): number =>
    convolved[t]![interleaved ? 3 * c + which : which * width + c]!;
  const gated = x.map((_, t) => Array.from({ length: width }, (_v, c) => stream(t, 1, c) * stream(t, 2, c)));
  const skip = weights["filter.D"]?.data;
  const y = x.map((_, t) =>
    Array.from({ length: width }, (_v, c) => {
      const group = Math.floor((c * groups) / width);
      let sum = (skip?.[c] ?? 0) * gated[t]![c]!;
      for (let s = 0; s <= t; s++) sum += filter.tap(weights, group, t - s) * gated[s]![c]!;
      return stream(t, 0, c) * sum;
    }),
  );
  return linear(y, weights, "out_filter_dense");
}

it.each(
  filters.flatMap((filter) =>
    [true, false].map((interleaved) => ({ name: filter.name, filter, interleaved })),
  ),
)("$name, interleaved: $interleaved", ({ name, filter, interleaved }) => {
  const weights = weightsOf({
    "projections.weight": [3 * width, width],
    "filter.short_filter_weight": [3 * width, 1, 3],
    "filter.short_filter_bias": [3 * width],
    ...filter.shapes,
    "out_filter_dense.weight": [width, width],
    "out_filter_dense.bias": [width],
  });
  const directory = join(work, `${name}-${interleaved}`);
  mkdirSync(directory);
  const others = weightsOf({ "pre_norm.scale": [width], "mlp.l1.weight": [4, width] });
  const whole = Object.entries({ ...weights, ...others }).map(([key, value]) => [`blocks.7.${key}`, value]);
  const other = weightsOf({ "norm.scale": [width] });
  writeFileSync(join(directory, "model.safetensors"), stored({ ...Object.fromEntries(whole), ...other }));
  const { layout, model } = importCheckpoint({
    checkpoint: directory,
    prefix: "blocks.7.",
    out: join(directory, "model.json"),
    length,
    values: { interleaved },
  });
  expect(layout).toBe("striped-hyena2");
  expect(JSON.parse(readFileSync(model, "utf8")).mixer.filter.groups).toBe(groups);
  const x = Array.from({ length }, (_, t) => numbers(width, 100 + t, 1));
  const { module } = loadModel({ model });
  const [y] = evaluate(module, "mixer", [tensor("f32", [1, length, width], Float64Array.from(x.flat()))]);
  expect(difference(y!.data, mixer(x, weights, filter, interleaved))).toBeLessThan(1e-12);
});
