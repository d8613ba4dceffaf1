// The table of targets: which passes run, in which order, and which emitter follows. The only file that knows
// both passes and back ends; read it second, after compile.ts.

import { onnxOps } from "./emit-onnx/lowerings/index.js";
import { wgslOps } from "./emit-wgsl/group.js";
import type { Lowering } from "./ir/fft/plan.js";
import { cpuProfile, type Profile, profiles } from "./ir/fft/profiles.js";
import { ops } from "./ir/ops/index.js";
import { bindDims } from "./passes/bind-dims.js";
import { canonicalise } from "./passes/canonicalise.js";
import { chooseFft } from "./passes/choose-fft.js";
import { chooseFftConv } from "./passes/choose-fft-conv.js";
import { expandBlocks } from "./passes/expand-blocks.js";
import { foldConstants } from "./passes/fold-constants.js";
import { fuse } from "./passes/fuse.js";
import { hoistEncoder } from "./passes/hoist-encoder.js";
import { hoistFilters } from "./passes/hoist-filters.js";
import { hoistTime } from "./passes/hoist-time.js";
import { keepTokens } from "./passes/keep-tokens.js";
import { mergeDuplicates } from "./passes/merge-duplicates.js";
import { padFft } from "./passes/pad-fft.js";
import type { Pass } from "./passes/pass.js";
import { removeDead } from "./passes/remove-dead.js";
import { splitForLimits } from "./passes/split-for-limits.js";
import { storeHalves } from "./passes/store-halves.js";
import type { Diagnostic } from "./support/diagnostic.js";

/** Choices of a build that change what is emitted. */
export interface BuildOptions {
  /** Which execution providers the artefact is for. */
  readonly profile?: "standard" | "cpu" | "cuda";
  /** Spectra of long filters as constants, or computed from taps when a session loads. */
  readonly spectra?: "fold" | "load";
  /** One lowering for every long convolution instead of the cheapest for each; `dft` is only ever taken by name. */
  readonly fft?: Lowering;
  /** The time network of @step: run once per timestep grid as @time (the number of steps stays free), or left inside. */
  readonly time?: "run" | "inline";
  /** How learned matrices are stored; `f16` halves their file. Arithmetic is float32 either way. `f32` by default. */
  readonly precision?: "f32" | "f16";
  /** Told which matrices `f16` leaves as they are. */
  readonly warn?: (warnings: readonly Diagnostic[]) => void;
  /** Texts at once, for targets whose kernels have fixed sizes; 1 by default. */
  readonly batch?: number;
}

export interface Target {
  /** One line for help texts. */
  readonly summary: string;
  readonly pipeline: (options: BuildOptions) => readonly Pass[];
  /** Ops the emitter takes after the pipeline; verified before emission. */
  readonly accepts: ReadonlySet<string>;
}

/** What a build in half precision adds. */
function halves({ precision = "f32", warn }: BuildOptions): readonly Pass[] {
  return precision === "f16" ? [storeHalves({ warn: (problem) => warn?.([problem]) })] : [];
}

function machine(profile: BuildOptions["profile"]): Profile {
  return (profile === "cuda" ? profiles["h100-f32"] : undefined) ?? cpuProfile();
}

/** Kernels of fixed sizes: B texts, and one noise level a call of @time. */
function bindSizes(batch: number): Pass {
  return {
    ...bindDims({}),
    run(module) {
      const sizes = Object.entries({ B: batch, T: 1 }).filter(([name]) => module.dims.has(name));
      return bindDims(Object.fromEntries(sizes)).run(module);
    },
  };
}

export const targets = {
  onnx: {
    summary: "ONNX graphs for ONNX Runtime",
    accepts: onnxOps,
    pipeline: ({ profile, spectra = "fold", time = "run", fft, ...options }) => [
      canonicalise,
      mergeDuplicates,
      expandBlocks,
      padFft({ profile: machine(profile) }),
      chooseFft({ profile: machine(profile), spectra, ...(fft && { lowering: fft }) }),
      hoistTime({ time }),
      hoistEncoder,
      // A session folds what depends on initializers only, so `load` leaves those ops where they are.
      hoistFilters({ spectra, inPlace: true }),
      foldConstants,
      canonicalise,
      mergeDuplicates,
      removeDead,
      ...halves(options),
    ],
  },
  wgsl: {
    summary: "WGSL kernels and a page for WebGPU",
    accepts: wgslOps(Object.keys(ops)),
    pipeline: ({ spectra = "fold", time = "run", batch = 1, ...options }) => [
      canonicalise,
      mergeDuplicates,
      expandBlocks,
      chooseFftConv({ spectra }),
      hoistTime({ time }),
      hoistEncoder,
      hoistFilters({ spectra }),
      foldConstants,
      canonicalise,
      mergeDuplicates,
      removeDead,
      bindSizes(batch),
      keepTokens(),
      ...halves(options),
      splitForLimits(),
      fuse({ parts: true }),
    ],
  },
} satisfies Record<string, Target>;
