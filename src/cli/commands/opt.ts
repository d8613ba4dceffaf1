// dlmc opt FILE.ir --passes a,b=option: runs passes on IR text.

import { readFileSync } from "node:fs";
import type { Command } from "commander";
import { parseModule } from "../../ir/parse.js";
import { printModule } from "../../ir/print.js";
import { verify } from "../../ir/verify.js";
import { checkValues } from "../../passes/check-values.js";
import { passes, passesFromText } from "../../passes/index.js";
import { runPasses } from "../../passes/pass.js";
import { type Diagnostic, DlmcError, type ExitCode, exitCodes, fail } from "../../support/diagnostic.js";
import { openCheckpoint } from "../../weights/open.js";
import { print } from "../print.js";

interface Flags {
  readonly passes?: string;
  readonly list?: true;
  readonly checkPasses?: true;
  readonly weights?: string;
  readonly locations?: true;
}

export function addOpt(program: Command, finish: (code: ExitCode) => void): void {
  program
    .command("opt [file]")
    .description("run passes on IR text and print the result")
    .option("--passes <a,b=option,..>", "the passes, in order")
    .option("--list", "print the passes and their options")
    .option("--check-passes", "evaluate in float64 after every pass and name the one that changes a value")
    .option("--weights <path>", "weights that the text's `weight` ops name")
    .option("--locations", "say at each line's end which passes it came from")
    .action((file: string | undefined, flags: Flags) => {
      if (flags.list)
        for (const { name, summary, option } of passes)
          print(`${name.padEnd(20)} ${summary}${option === undefined ? "" : ` (${name}=${option})`}`);
      else print(optimised(file, flags));
      finish(exitCodes.ok);
    });
}

function optimised(file: string | undefined, flags: Flags): string {
  if (file === undefined)
    return fail("flags/no-file", "opt needs a file of IR text", {
      help: "`dlmc lower model.json > model.ir` writes one",
    });
  const checkpoint = flags.weights === undefined ? undefined : openCheckpoint(flags.weights);
  const weights = checkpoint && {
    has: (name: string) => checkpoint.info(name) !== undefined,
    read: (name: string) => ({
      element: "f32" as const,
      shape: checkpoint.info(name)!.shape,
      data: checkpoint.read(name),
    }),
  };
  const module = parseModule(readText(file), { file, ...(weights && { weights }) });
  const problems = verify(module);
  if (problems.length > 0)
    throw new DlmcError(
      problems.map(
        ({ label, message, graph }): Diagnostic => ({
          severity: "error",
          code: label,
          message: `@${graph}: ${message}`,
          file,
        }),
      ),
    );
  const list = passesFromText(flags.passes ?? "");
  return printModule(runPasses(module, list, flags.checkPasses ? { after: checkValues() } : {}), {
    locations: flags.locations ?? false,
  });
}

function readText(file: string): string {
  try {
    return readFileSync(file === "-" ? 0 : file, "utf8");
  } catch (error) {
    return fail("ir/open", `cannot read ${file}: ${(error as Error).message}`);
  }
}
