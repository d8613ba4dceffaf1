// dlmc check MODEL --target onnx: agreement with the float64 reference; exit 0 when it agrees, 1 when not.

import { type Command, Option } from "commander";
import { check } from "../../api/check.js";
import { htmlReport, jsonReport, textReport } from "../../runtime-check/report.js";
import { type ExitCode, exitCodes } from "../../support/diagnostic.js";
import { type BuildFlags, integer, targetNames, type WeightFlags, withBuild, withWeights } from "../flags.js";
import { refuseOtherTargets } from "../flags-given.js";
import { print, printProblems } from "../print.js";
import { progressLine } from "../progress.js";
import { writeText } from "../write-text.js";

interface Flags extends BuildFlags, WeightFlags {
  readonly target: string;
  readonly seed: number;
  readonly steps?: number;
  readonly batch: number;
  readonly length?: number;
  readonly trajectory?: boolean;
  readonly html?: string;
  readonly repro?: string;
  readonly json?: true;
}

export function addCheck(program: Command, finish: (code: ExitCode) => void): void {
  const command = program
    .command("check <model>")
    .description(
      "compare a target with the float64 reference: every op, the whole model, every sampling step",
    )
    .addOption(new Option("-t, --target <name>", "what to check").choices(targetNames).default("onnx"))
    .option("--seed <n>", "seed of the inputs and the noise", integer(0), 0)
    .option("--steps <n>", "sampling steps of the trajectory", integer(1))
    .option("--batch <n>", "texts at once in the trajectory", integer(1, 4096), 1)
    .option("--length <n>", "sequence length", integer(1))
    .option("--no-trajectory", "leave the whole generation out")
    .option(
      "--repro <dir>",
      "write a minimal repro of the first divergence; `dlmc check DIR` checks it again",
    )
    .option("--html <file>", "also write the report as one HTML file")
    .option("--json", "print the report as JSON (schema/check-report.schema.json)");
  withBuild(withWeights(command)).action(async (model: string, flags: Flags) => {
    refuseOtherTargets(command, flags.target);
    const { json, html, trajectory, ...rest } = flags;
    const progress = progressLine(!json);
    const report = await check({
      model,
      warn: printProblems,
      ...rest,
      noTrajectory: trajectory === false,
      progress: progress.show,
    });
    progress.end();
    print(json ? jsonReport(report) : textReport(report));
    if (html !== undefined) writeText(html, htmlReport(report));
    finish(report.agrees ? exitCodes.ok : exitCodes.disagree);
  });
}
