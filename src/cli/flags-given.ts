// Flags that have no meaning where they stand: an answer without them would pass for one with them.

import type { Command } from "commander";
import { fail } from "../support/diagnostic.js";

/** Flags of one target, by the names of their values. */
const only: Readonly<Record<string, readonly string[]>> = {
  onnx: ["profile", "fft", "minOrt", "sample"],
  wgsl: ["examples"],
};

/** Flags that say how a description is compiled. */
const ofBuilds = ["weights", "synthetic", "profile", "spectra", "fft", "precision", "minOrt"];

/** Throws `flags/target` for a flag that only another target has; `own` are those of this command, as `only`. */
export function refuseOtherTargets(command: Command, target: string, own: typeof only = {}): void {
  for (const owner of Object.keys(only).filter((name) => name !== target))
    for (const name of [...only[owner]!, ...(own[owner] ?? [])])
      if (isGiven(command, name))
        fail("flags/target", `${flagOf(command, name)} is for ${owner}, not for ${target}`, {
          help: `leave it out, or use --target ${owner}`,
        });
}

/** Throws `flags/bundle` for a flag that says how to compile what is compiled already. */
export function refuseBuildFlags(command: Command, bundle: string): void {
  const name = ofBuilds.find((each) => isGiven(command, each));
  if (name !== undefined)
    fail("flags/bundle", `${bundle} is compiled already; ${flagOf(command, name)} cannot change it`, {
      help: "leave it out, or name the model.json",
    });
}

/** Whether the value was typed, and is no default. */
export function isGiven(command: Command, name: string): boolean {
  return command.getOptionValueSource(name) === "cli";
}

function flagOf(command: Command, name: string): string {
  return command.options.find((option) => option.attributeName() === name)?.long ?? name;
}
