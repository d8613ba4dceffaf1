// dlmc explain fft MODEL: how each long convolution is lowered and why.  dlmc explain ops [NAME]: the IR's ops.

import { type Command, Option } from "commander";
import { readModelText } from "../../api/load.js";
import { describe, lowerDescription } from "../../compile.js";
import { profiles } from "../../ir/fft/profiles.js";
import { definitionOf, ops } from "../../ir/ops/index.js";
import { explainFft, fftReportText } from "../../passes/fft/explain.js";
import { type ExitCode, exitCodes, fail } from "../../support/diagnostic.js";
import { suggestion } from "../../support/suggest.js";
import { integer } from "../flags.js";
import { print, printJson } from "../print.js";

interface FftFlags {
  readonly machine: string;
  readonly batch: number;
  readonly length?: number;
  readonly json?: true;
}

export function addExplain(program: Command, finish: (code: ExitCode) => void): void {
  const explain = program.command("explain").description("say how something is decided");
  explain
    .command("fft <model>")
    .description("the lowering of every long convolution: choice, predicted time and error, alternatives")
    .addOption(new Option("--machine <name>", "cost model").choices(Object.keys(profiles)).default("cpu"))
    .option("--batch <n>", "rows the costs are for", integer(1), 1)
    .option("--length <n>", "sequence length", integer(1))
    .option("--json", "print as JSON (schema/explain-fft.schema.json)")
    .action((model: string, flags: FftFlags) => {
      const { module } = lowerDescription(
        describe(readModelText(model), model, flags.length).description,
        model,
      );
      const report = explainFft(module, profiles[flags.machine], flags.batch);
      if (flags.json) printJson(report);
      else print(fftReportText(report));
      finish(exitCodes.ok);
    });
  explain
    .command("ops [name]")
    .description("the operations of the IR, or one of them")
    .action((name: string | undefined) => {
      for (const each of name === undefined ? Object.keys(ops) : [name]) explainOp(each, name !== undefined);
      finish(exitCodes.ok);
    });
  for (const command of explain.commands) command.exitOverride();
}

function explainOp(name: string, whole: boolean): void {
  const definition = definitionOf(name);
  if (definition === undefined)
    fail("flags/unknown-op", `no op is named ${name}`, {
      help: suggestion(name, Object.keys(ops)) ?? "`dlmc explain ops` lists them",
    });
  print(`${name.padEnd(14)} ${definition.summary}`);
  if (!whole) return;
  print(`  operands    ${definition.operands.join(", ") || "none"}`);
  print(`  attributes  ${Object.keys(definition.attributes).join(", ") || "none"}`);
  print(`  fusion      ${definition.fusion}`);
}
