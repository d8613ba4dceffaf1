// What `check` runs for each target: the artefact as `compile` would emit it, behind the one interface of
// src/runtime-check. Adding a target adds a line here.

import { emitOnnx, writeOnnxBundle } from "../emit-onnx/emit.js";
import { importOrt } from "../runtime/ort.js";
import type { Candidate } from "../runtime-check/candidate.js";
import { type OnnxCandidateOptions, onnxCandidate } from "../runtime-check/onnx-candidate.js";
import { bug } from "../support/diagnostic.js";
import type { BuildOptions } from "../targets.js";
import { version } from "../version.js";
import { wgslCandidate } from "./wgsl-candidate.js";

/** A candidate that holds sessions or devices until it is disposed. */
export type OpenCandidate = Candidate & { dispose(): Promise<void> };

export interface CandidateOptions extends BuildOptions {
  readonly minOrt?: string;
}

const candidates: Readonly<Record<string, (options: CandidateOptions) => Promise<OpenCandidate>>> = {
  async onnx({ profile = "standard", minOrt, fft }) {
    const emit: OnnxCandidateOptions["emit"] = (module, open) =>
      writeOnnxBundle(
        emitOnnx([{ module }], {
          version,
          profile,
          dft: fft === "dft",
          ...(minOrt !== undefined && { minOrt }),
        }),
        open,
      ).graphs;
    // The two modules write down different members of the same package.
    const ort = (await importOrt()) as unknown as OnnxCandidateOptions["ort"];
    return onnxCandidate({ emit, ort });
  },
  wgsl: ({ batch = 1 }) => wgslCandidate(batch),
};

/** Opens the candidate of a target. Throws `environment/...` (exit 5) when what runs it is missing. */
export function openCandidate(target: string, options: CandidateOptions): Promise<OpenCandidate> {
  return (candidates[target] ?? bug(`target ${target} has no candidate`))(options);
}
