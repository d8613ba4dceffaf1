// State-space models of all channels against the complex recurrence, one position after the other.
import { expect, test } from "vitest";
import { expectEach, type MixerRun, runMixer } from "./mixer-alone.js";

type Complex = readonly [re: number, im: number];
const mul = ([a, b]: Complex, [c, d]: Complex): Complex => [a * c - b * d, a * d + b * c];
const add = ([a, b]: Complex, [c, d]: Complex): Complex => [a + c, b + d];
const scale = ([a, b]: Complex, by: number): Complex => [a * by, b * by];
const div = (x: Complex, [c, d]: Complex): Complex => scale(mul(x, [c, -d]), 1 / (c * c + d * d));
const exp = ([a, b]: Complex): Complex => [Math.exp(a) * Math.cos(b), Math.exp(a) * Math.sin(b)];

interface Case {
  readonly states: number;
  readonly discretization: "zoh" | "bilinear" | "none";
  readonly lru: boolean;
  readonly both: boolean;
  readonly skip: boolean;
}

/** a and g of a state. */
function system({ parameter }: MixerRun, n: number, { discretization, lru }: Case): [a: Complex, g: Complex] {
  const imag = parameter("poles.imag")[n]!;
  const pole: Complex = [-Math.exp(parameter("poles.real")[n]!), lru ? Math.exp(imag) : imag];
  const gain = lru ? Math.exp(parameter("log_gain")[n]!) : 1;
  if (discretization === "none") return [exp(pole), [gain, 0]];
  const d = Math.exp(parameter("log_step")[n]!);
  const stepped = scale(pole, d);
  if (discretization === "zoh") {
    const a = exp(stepped);
    return [a, scale(div(add(a, [-1, 0]), pole), gain)];
  }
  const below = add([1, 0], scale(stepped, -0.5));
  return [div(add([1, 0], scale(stepped, 0.5)), below), scale(div([d, 0], below), gain)];
}

/** y of batch row 0. */
function expected(run: MixerRun, of: Case): Float64Array {
  const { length, width, x, parameter } = run;
  const { states, both, lru, skip } = of;
  const y = Float64Array.from(x, (v, i) => (skip ? v * parameter("skip")[i % width]! : 0));
  const columns = both ? 2 * states : states;
  for (let k = 0; k < columns; k++) {
    const n = k % states;
    const [a, g] = system(run, n, of);
    let h: Complex = [0, 0];
    for (let step = 0; step < length; step++) {
      const t = k < states ? step : length - 1 - step;
      let driven: Complex = [0, 0];
      for (let c = 0; c < width; c++) {
        const at = 2 * (n * width + c);
        const entry: Complex = [parameter("input")[at]!, parameter("input")[at + 1]!];
        driven = add(driven, scale(entry, x[t * width + c]!));
      }
      h = add(mul(a, h), mul(g, driven));
      for (let c = 0; c < width; c++) {
        const at = 2 * (c * columns + k);
        const read = mul([parameter("output")[at]!, parameter("output")[at + 1]!], h);
        y[t * width + c]! += (lru ? 1 : 2) * read[0];
      }
    }
  }
  return y;
}

test.each<Case>([
  { states: 3, discretization: "zoh", lru: false, both: true, skip: true },
  { states: 5, discretization: "bilinear", lru: false, both: false, skip: false },
  { states: 4, discretization: "none", lru: true, both: false, skip: true },
])("%o", async (of) => {
  const { states, discretization, lru, both, skip } = of;
  const mixer = {
    kind: "state_space",
    states,
    discretization,
    skip,
    directions: both ? "both" : "forward",
    ...(lru && { poles: { imag: "exp" }, gain: true, conjugates: "none" }),
  };
  const run = await runMixer(mixer, { batch: 1, length: 11, width: 3 });
  if (discretization === "none") expect(() => run.parameter("log_step")).toThrow();
  expectEach(run, expected(run, of));
});
