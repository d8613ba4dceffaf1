// The command line: a thin user of the API. One file per command; this one says which there are, prints
// diagnostics and turns every outcome into a documented exit code.

import { Command, CommanderError } from "commander";
import { DlmcBug, DlmcError, type ExitCode, exitCodes } from "../support/diagnostic.js";
import { version } from "../version.js";
import { addCheck } from "./commands/check.js";
import { addCompile } from "./commands/compile.js";
import { addDemo } from "./commands/demo.js";
import { addExplain } from "./commands/explain.js";
import { addGenerate } from "./commands/generate.js";
import { addImport } from "./commands/import.js";
import { addInspect } from "./commands/inspect.js";
import { addLower } from "./commands/lower.js";
import { addOpt } from "./commands/opt.js";
import { printBug, printProblems } from "./print.js";

/** Runs the command line; resolves to the exit code. */
export async function main(argv: readonly string[]): Promise<ExitCode> {
  const program = new Command("dlmc")
    .description(
      "Compiles diffusion language models to ONNX and WGSL and checks them against a float64 reference.",
    )
    .version(version)
    .showSuggestionAfterError()
    .addHelpText(
      "after",
      "\nExit codes: 0 agree, 1 disagree, 2 bad input, 3 not supported on this target, 4 internal error, 5 environment missing.",
    );
  let code: ExitCode = exitCodes.ok;
  const finish = (result: ExitCode): void => {
    code = result;
  };
  for (const add of [
    addCompile,
    addCheck,
    addGenerate,
    addDemo,
    addInspect,
    addImport,
    addExplain,
    addLower,
    addOpt,
  ])
    add(program, finish);
  // Flags are the user's input too: commander throws instead of ending the process with its own code.
  for (const command of withCommands(program)) {
    command.exitOverride();
    if (command !== program) command.showHelpAfterError(`(${pathOf(command)} --help lists what it takes)`);
  }
  try {
    await program.parseAsync([...argv]);
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.badInput;
    if (error instanceof DlmcError) {
      printProblems(error.diagnostics);
      return error.exitCode;
    }
    printBug(error instanceof DlmcBug ? error : (error as Error));
    return exitCodes.internal;
  }
}

/** A command and all commands below it. */
function withCommands(command: Command): readonly Command[] {
  return [command, ...command.commands.flatMap(withCommands)];
}

/** The command as it is typed. */
function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}
