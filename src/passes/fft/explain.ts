// What `dlmc explain fft` shows: for every long convolution of a module the lowerings that can compute it,
// their predicted time, error and constants, and which one is taken.

import { type Candidate, candidateName, candidatePoints, planConvolution } from "../../ir/fft/plan.js";
import { cpuProfile, type Profile } from "../../ir/fft/profiles.js";
import type { Module } from "../../ir/graph.js";
import { expandBlocks } from "../expand-blocks.js";
import { boundConvolution } from "./request.js";

/** One lowering as reported: plain data, ready for JSON. */
export interface LoweringReport {
  readonly name: string;
  readonly chosen: boolean;
  /** Points of the transform, where there is one. */
  readonly points?: number;
  readonly padding: number;
  readonly seconds: number;
  readonly flops: number;
  readonly bytes: number;
  readonly launches: number;
  /** Root mean square error relative to that of the output. */
  readonly rmsError: number;
  readonly ownConstantBytes: number;
  readonly sharedConstantBytes: number;
}

/** Convolutions that are alike, and so are lowered alike. */
export interface ConvolutionReport {
  readonly places: readonly { readonly graph: string; readonly pointer: string }[];
  readonly length: number;
  readonly channels: number;
  readonly filters: number;
  readonly minLag: number;
  readonly maxLag: number;
  readonly circular: boolean;
  readonly lowerings: readonly LoweringReport[];
}

export interface FftReport {
  readonly profile: string;
  readonly batch: number;
  readonly convolutions: readonly ConvolutionReport[];
  /** Convolutions whose length is still free; nothing is chosen for them. */
  readonly unbound: readonly { readonly graph: string; readonly pointer: string }[];
}

/** Plans every long_conv of the module for the machine, alike ones once. */
export function explainFft(module: Module, profile: Profile = cpuProfile(), batch = 1): FftReport {
  const alike = new Map<string, ConvolutionReport & { places: { graph: string; pointer: string }[] }>();
  const unbound: { graph: string; pointer: string }[] = [];
  for (const graph of expandBlocks.run(module).graphs) {
    for (const op of graph.ops) {
      if (op.name !== "long_conv") continue;
      const place = { graph: graph.name, pointer: op.loc.pointer };
      const request = boundConvolution(op, batch)?.request;
      if (request === undefined) {
        unbound.push(place);
        continue;
      }
      const key = JSON.stringify(request);
      const known = alike.get(key);
      if (known !== undefined) {
        known.places.push(place);
        continue;
      }
      const { chosen, candidates } = planConvolution(request, profile);
      const { length, channels, groups: filters, minLag, maxLag, circular } = request;
      const lowerings = candidates.map((candidate) => lowering(candidate, candidate === chosen));
      alike.set(key, { places: [place], length, channels, filters, minLag, maxLag, circular, lowerings });
    }
  }
  return { profile: profile.name, batch, convolutions: [...alike.values()], unbound };
}

function lowering(candidate: Candidate, chosen: boolean): LoweringReport {
  const { padding, seconds, flops, bytes, launches, rmsError, constants } = candidate;
  const points = candidatePoints(candidate);
  return {
    name: candidateName(candidate),
    chosen,
    ...(points !== undefined && { points }),
    padding,
    seconds,
    flops,
    bytes,
    launches,
    rmsError,
    ownConstantBytes: constants.own,
    sharedConstantBytes: constants.shared,
  };
}

/** The report as text: one table per kind of convolution, cheapest first, `*` at the choice. */
export function fftReportText(report: FftReport): string {
  const sections = report.convolutions.map((convolution) => {
    const { places, length, channels, filters, minLag, maxLag, circular, lowerings } = convolution;
    const lags = circular ? "circular" : `lags ${minLag}..${maxLag}`;
    const kinds = filters === channels ? "one filter each" : `${filters} filters`;
    const title = `${length} samples, ${channels} channels, ${kinds}, ${lags}; batch ${report.batch} on ${report.profile}`;
    const where = places.map(({ graph, pointer }) => `  @${graph} ${pointer || "/"}`);
    const header = ["", "lowering", "time", "rms error", "ops", "constants", "shared", "padding"];
    const rows = lowerings.map((row) => [
      row.chosen ? "*" : "",
      row.name === "dft" ? "dft (only by name)" : row.name,
      time(row.seconds),
      row.rmsError.toExponential(1),
      String(row.launches),
      size(row.ownConstantBytes),
      size(row.sharedConstantBytes),
      String(row.padding),
    ]);
    return [title, ...where, ...table([header, ...rows])].join("\n");
  });
  const free = report.unbound.map(({ graph, pointer }) => `  @${graph} ${pointer || "/"}`);
  if (free.length > 0)
    sections.push(["length not bound, nothing to choose (give --length):", ...free].join("\n"));
  if (sections.length === 0) sections.push("no long convolutions");
  return `${sections.join("\n\n")}\n`;
}

function time(seconds: number): string {
  const unit =
    (
      [
        [1, "s"],
        [1e-3, "ms"],
        [1e-6, "us"],
      ] as const
    ).find(([u]) => seconds >= u) ?? ([1e-6, "us"] as const);
  return `${(seconds / unit[0]).toPrecision(3)} ${unit[1]}`;
}

function size(bytes: number): string {
  if (bytes < 1e3) return `${bytes} B`;
  return bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

/** Columns aligned: names left, numbers right. */
function table(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const cell = (text: string, column: number) =>
    column < 2 ? text.padEnd(widths[column]!) : text.padStart(widths[column]!);
  return rows.map((row) => row.map(cell).join("  ").trimEnd());
}
