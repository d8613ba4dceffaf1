// Seeded weights for any list of parameters, so that a model can be compiled, measured and checked without a
// checkpoint. A value is a pure function of (seed, canonical name, index): adding a parameter or asking in
// another order changes no other value. Values are float32 numbers, so artefacts hold them exactly.
//
// Scales keep activations O(1) through any depth: a linear map of fan-in n gets N(0, 1/n), taps of a filter
// of length T get N(0, 1/T); biases are small, norms near the identity.

import { normalNoise } from "../diffusion/normal.js";
import { deriveKey, type Key, squares32 } from "../diffusion/rng.js";
import { tensor } from "../ir/tensor.js";
import { type Init, type ParameterDeclaration, unknown, type WeightStore } from "./store.js";

/** A store of synthetic weights. `seed` is an integer, 0 <= seed < 2^64. */
export function syntheticStore(
  declared: readonly ParameterDeclaration[],
  seed: number | bigint,
): WeightStore {
  const byName = new Map(declared.map((parameter) => [parameter.name, parameter]));
  return {
    names: () => byName.keys(),
    info: (name) => {
      const parameter = byName.get(name);
      return parameter === undefined ? undefined : { dtype: "F32", shape: parameter.shape };
    },
    read: (name) => {
      const parameter = byName.get(name) ?? unknown(name);
      return tensor("f32", parameter.shape, syntheticValues(parameter, seed));
    },
  };
}

/** What a parameter is, from the end of its canonical name; for declarations that do not say. */
export function initOf(name: string): Init {
  const parts = name.split(".");
  const last = parts.at(-1)!;
  const owner = parts.at(-2) ?? "";
  if (last === "bias") return parts.includes("ada_ln") || owner === "final_ada_ln" ? "modulation" : "bias";
  if (/norm\d*$/.test(owner)) return "norm";
  if (owner === "short_conv") return "taps";
  if (/^\d+$/.test(last) && owner === "skip") return "skip";
  const byLast: Readonly<Record<string, Init>> = {
    table: "embedding",
    positions: "positions",
    taps: "taps",
    skip: "skip",
    frequency: "frequency",
    deltas: "decay",
    features: "features",
    times: "times",
  };
  return byLast[last] ?? "linear";
}

/**
 * The values of one parameter, row-major. With n ~ N(0, 1) drawn per element and i the index:
 *   linear      n / sqrt(fan-in), fan-in = the last extent, as in [out, in] and [blocks, out, in]
 *   bias        0.02 n
 *   modulation  0.5 n / sqrt(fan-in), bias 0.1 n: gates and scales are then large enough to matter
 *   norm        1 + 0.1 n              skip        1 + 0.1 n
 *   embedding   n                      positions   0.1 n
 *   taps        n / sqrt(T), T = the longer side of [T, G] or the last extent of [C, taps] (short convolution)
 *   frequency   1 + 0.1 n              (Hyena, arXiv 2302.10866: initial frequency 1)
 *   decay       ln(100) linspace(1/1.5, 1/0.3) over the last axis (Hyena: fast and slow decay 0.3 and 1.5)
 *   times       linspace(0, 1) over the first axis
 *   features    [P, 1 + 2K]: times, then cos and -sin of (k + 1e-4) 2 pi p / P  (Hyena's positional features)
 *   log_decay   ln(1/2) + 0.1 n        turns       pi i over the last axis (S4D-Lin, arXiv 2206.11893)
 *   log_poles   -linspace(0.02, 1) over the last axis      step   ln of 0.001 .. 0.1, evenly in the logarithm
 *   residues    n / sqrt(N), N the number of states
 */
export function syntheticValues(parameter: ParameterDeclaration, seed: number | bigint): Float64Array {
  const { name, shape, init = initOf(name), gain = 1 } = parameter;
  const size = shape.reduce((product, extent) => product * extent, 1);
  const last = shape.at(-1) ?? 1;
  const first = shape[0] ?? 1;
  switch (init) {
    case "decay":
      return generate(size, (i) => Math.log(100) * mix(1 / 1.5, 1 / 0.3, position(i % last, last)));
    case "times":
      return generate(size, (i) => position(Math.floor((i * first) / size), first));
    case "turns":
      return generate(size, (i) => Math.PI * (i % last));
    case "log_poles":
      return generate(size, (i) => -mix(0.02, 1, position(i % last, last)));
    case "step":
      return generate(size, (i) => mix(Math.log(0.001), Math.log(0.1), position(i, size)));
    case "features":
      return generate(size, (i) => feature(Math.floor(i / last), i % last, first, last));
  }
  const [mean, scale] = distribution(name, shape, init);
  const noise = normalNoise(parameterKey(name, seed), 0, 1, size, 1);
  return generate(size, (i) => mean + gain * scale * noise[i]!);
}

function distribution(
  name: string,
  shape: readonly number[],
  init: Init,
): readonly [mean: number, scale: number] {
  const fanIn = shape.at(-1) ?? 1;
  switch (init) {
    case "bias":
      return [0, 0.02];
    case "modulation":
      return [0, shape.length > 1 ? 0.5 / Math.sqrt(Math.max(1, fanIn)) : 0.1];
    case "norm":
    case "skip":
    case "frequency":
      return [1, 0.1];
    case "log_decay":
      return [Math.log(0.5), 0.1];
    case "residues":
      return [0, 1 / Math.sqrt(Math.max(1, shape.length > 2 ? shape.at(-2)! : fanIn))];
    case "embedding":
      return [0, 1];
    case "positions":
      return [0, 0.1];
    case "taps": {
      const taps = name.endsWith("short_conv.weight") ? shape.at(-1) : shape[0];
      return [0, 1 / Math.sqrt(Math.max(1, taps ?? 1))];
    }
    default:
      return [0, 1 / Math.sqrt(Math.max(1, fanIn))];
  }
}

/**
 * The random stream of a parameter. The name's UTF-16 units are absorbed one after another by the generator
 * itself (state := squares32(key, state, unit)); stream 0 stays the sampler's noise.
 */
function parameterKey(name: string, seed: number | bigint): Key {
  const master = deriveKey(seed, 1);
  let state = 0;
  for (let i = 0; i < name.length; i++) state = squares32(master, state, name.charCodeAt(i));
  return deriveKey(seed, 2 + state);
}

/** Hyena's features of position p of P: p/(P-1), then the real and imaginary parts of exp(-i f_k 2 pi p / P). */
function feature(p: number, column: number, positions: number, columns: number): number {
  if (column === 0) return position(p, positions);
  const bands = Math.max(1, Math.floor((columns - 1) / 2));
  const band = (column - 1) % bands;
  const frequency = mix(1e-4, bands - 1, position(band, bands));
  const angle = (2 * Math.PI * p * frequency) / positions;
  return column - 1 < bands ? Math.cos(angle) : -Math.sin(angle);
}

/** i of n on [0, 1]. */
function position(i: number, n: number): number {
  return n > 1 ? i / (n - 1) : 0;
}

function mix(from: number, to: number, u: number): number {
  return from + (to - from) * u;
}

function generate(size: number, value: (index: number) => number): Float64Array {
  const values = new Float64Array(size);
  for (let i = 0; i < size; i++) values[i] = Math.fround(value(i));
  return values;
}
