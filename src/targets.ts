// The table of targets: which passes run, in which order, and which emitter follows. The only file that knows
// both passes and back ends; read it second, after compile.ts.

import { onnxOps } from "./emit-onnx/lowerings/index.js";
import { cpuProfile, type Profile, profiles } from "./ir/fft/profiles.js";
import { chooseFft } from "./passes/choose-fft.js";
import { padFft } from "./passes/pad-fft.js";
import type { Pass } from "./passes/pass.js";

/** Choices of a build that change what is emitted. */
export interface BuildOptions {
  /** Which execution providers the artefact is for. */
  readonly profile?: "standard" | "cpu" | "cuda";
  /** Spectra of long filters as constants, or computed from taps when a session loads. */
  readonly spectra?: "fold" | "load";
}

export interface Target {
  /** One line for help texts. */
  readonly summary: string;
  readonly pipeline: (options: BuildOptions) => readonly Pass[];
  /** Ops the emitter takes after the pipeline; verified before emission. */
  readonly accepts: ReadonlySet<string>;
}

function machine(profile: BuildOptions["profile"]): Profile {
  return (profile === "cuda" ? profiles["h100-f32"] : undefined) ?? cpuProfile();
}

export const targets = {
  onnx: {
    summary: "ONNX graphs for ONNX Runtime",
    accepts: onnxOps,
    pipeline: ({ profile, spectra = "fold" }) => [
      padFft({ profile: machine(profile) }),
      chooseFft({ profile: machine(profile), spectra }),
    ],
  },
} satisfies Record<string, Target>;
