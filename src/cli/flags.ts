// Flags shared by commands, and how their values are read. A bad value is the user's input: one diagnostic, exit 2.

import { type Command, InvalidArgumentError, Option } from "commander";
import { type BuildOptions, targets } from "../targets.js";

/** An integer of at least `min`. */
export function integer(min: number, max = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^[+-]?\d+$/.test(text.trim()) || value < min || value > max)
      throw new InvalidArgumentError(
        `expected an integer of at least ${min}${max < Number.MAX_SAFE_INTEGER || value > max ? ` and at most ${max}` : ""}.`,
      );
    return value;
  };
}

/** `128,256`: integers of at least 1, each once. */
export function lengths(text: string): number[] {
  const list = text.split(",").map(integer(1));
  if (new Set(list).size !== list.length) throw new InvalidArgumentError("the same length is listed twice.");
  return list;
}

export const targetNames = Object.keys(targets);

/** What withWeights adds. */
export interface WeightFlags {
  readonly weights?: string;
  readonly synthetic?: number;
}

/** What withBuild adds. */
export interface BuildFlags extends Pick<BuildOptions, "profile" | "spectra" | "fft" | "precision"> {
  readonly minOrt?: string;
}

/** --weights and --synthetic: where parameters come from. */
export function withWeights(command: Command): Command {
  return command
    .addOption(
      new Option(
        "--weights <path>",
        "weight file, shard index or directory instead of the description's own",
      ),
    )
    .addOption(
      new Option("--synthetic <seed>", "seeded synthetic weights; no checkpoint is read")
        .argParser(integer(0))
        .conflicts("weights"),
    );
}

/** --profile, --spectra, --fft, --precision, --min-ort: what is emitted. */
export function withBuild(command: Command): Command {
  return command
    .addOption(
      new Option("--profile <name>", "execution providers the graphs are for")
        .choices(["standard", "cpu", "cuda"])
        .default("standard"),
    )
    .addOption(
      new Option("--spectra <how>", "spectra of long filters as constants, or computed from taps at load")
        .choices(["fold", "load"])
        .default("fold"),
    )
    .addOption(
      new Option(
        "--fft <lowering>",
        "one lowering for every long convolution instead of the cheapest",
      ).choices(["right_angle", "packed_circular", "depthwise", "toeplitz", "dft"]),
    )
    .addOption(
      new Option("--precision <format>", "how learned matrices are stored; arithmetic is float32 either way")
        .choices(["f32", "f16"])
        .default("f32"),
    )
    .addOption(new Option("--min-ort <version>", "oldest ONNX Runtime that must read the files, e.g. 1.18"));
}
