// Multi-scale taps against their definition, sample by sample.
import { test } from "vitest";
import { convolveDirectly, expectEach, type MixerRun, runMixer } from "./mixer-alone.js";

interface Options {
  readonly combine?: "cat" | "sum";
  readonly interpolation?: "linear" | "nearest";
  readonly init_scale?: number;
  readonly damping?: "multiplier" | "power";
}

const [size, scales, groups] = [3, 3, 2];

/** Row j of part i, stretched `factor` times. */
function sample(run: MixerRun, i: number, c: number, j: number, factor: number, nearest: boolean): number {
  const row = (n: number): number => run.parameter(`filters.0.scales.${i}`)[n * groups + c]!;
  if (nearest) return row(Math.floor(j / factor));
  const at = Math.min(size - 1, Math.max(0, (j + 0.5) / factor - 0.5));
  const below = Math.floor(at);
  return row(below) * (1 - (at - below)) + row(Math.min(size - 1, below + 1)) * (at - below);
}

function tapOf(run: MixerRun, options: Options, c: number, t: number): number {
  const {
    combine = "cat",
    interpolation = "linear",
    init_scale: first = 0,
    damping = "multiplier",
  } = options;
  let sum = 0;
  let start = 0;
  for (let i = 0; i < scales; i++) {
    const factor = 2 ** ((combine === "sum" ? i : Math.max(0, i - 1)) + first);
    const own = combine === "sum" ? t : t - start;
    const weight = damping === "power" ? 1 : run.parameter("filters.0.multiplier")[c]! ** (scales - 1 - i);
    if (own >= 0 && own < size * factor)
      sum += weight * sample(run, i, c, own, factor, interpolation === "nearest");
    start += size * factor;
  }
  const damped = damping === "power" ? sum / (t + 1) ** run.parameter("filters.0.decay")[c]! : sum;
  return damped / run.parameter("filters.0.norm")[c]!;
}

test.each<[number, Options]>([
  [11, {}],
  [17, { combine: "sum" }],
  [12, { combine: "sum", interpolation: "nearest", init_scale: 1 }],
  [25, { interpolation: "nearest", init_scale: 1, damping: "power" }],
  [9, { combine: "sum", damping: "power" }],
])("%i positions, %o", async (length, options) => {
  const filter = { kind: "multiscale", span: "causal", kernel_dim: size, scales, ...options };
  const plain = { kind: "long_conv", in_proj: { kind: "none" }, out_proj: { kind: "none" }, skip: "none" };
  const run = await runMixer({ ...plain, filter }, { batch: 1, length, width: groups });
  const tap = (c: number, lag: number): number => (lag < 0 ? 0 : tapOf(run, options, c, lag));
  expectEach(run, convolveDirectly(run.x, length, groups, tap));
});
