// dlmc lower MODEL: the IR of a description, as text.

import { type Command, Option } from "commander";
import { loadModel, readModelText } from "../../api/load.js";
import { describe, lowerDescription, optimise, targetOf } from "../../compile.js";
import { printModule } from "../../ir/print.js";
import { type ExitCode, exitCodes } from "../../support/diagnostic.js";
import { type BuildFlags, integer, targetNames, type WeightFlags, withBuild, withWeights } from "../flags.js";
import { print, printProblems } from "../print.js";

interface Flags extends BuildFlags, WeightFlags {
  readonly target?: string;
  readonly length?: number;
  readonly locations?: true;
}

export function addLower(program: Command, finish: (code: ExitCode) => void): void {
  const command = program
    .command("lower <model>")
    .description("print the IR of a description; with --target, after that target's passes")
    .addOption(new Option("-t, --target <name>", "also run the passes of a target").choices(targetNames))
    .option("--length <n>", "sequence length", integer(1))
    .option(
      "--locations",
      "say at each line's end which part of the description and which passes it came from",
    );
  withBuild(withWeights(command)).action((model: string, flags: Flags) => {
    print(printModule(moduleOf(model, flags), { locations: flags.locations ?? false }));
    finish(exitCodes.ok);
  });
}

function moduleOf(model: string, flags: Flags) {
  // Without passes no weight is read, so a description alone is enough.
  if (flags.target === undefined)
    return lowerDescription(describe(readModelText(model), model, flags.length).description, model).module;
  const loaded = loadModel({ model, warn: printProblems, ...flags });
  return optimise(loaded.module, targetOf(flags.target), flags);
}
