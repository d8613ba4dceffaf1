// npm run goldens -- DIR: runs dlmc on cases made by upstream's own modules and says how far it is from them.
// WGSL runs where WebGPU finds an adapter; a software driver unpacked into .cache serves where there is none.
// Exit codes: 0 every covered case passes, 1 one does not, 2 the directory holds no cases.

import { DlmcError, type ExitCode, exitCodes } from "../../support/diagnostic.js";
import { allPass, type CaseReport, caseText, headingText, reportOf, totalsText } from "./report.js";
import { findCases, runCase } from "./run.js";
import { missingWebgpu } from "./webgpu.js";

const usage = "usage: npm run goldens -- DIRECTORY [--json]";

async function main(argv: readonly string[]): Promise<ExitCode> {
  const json = argv.includes("--json");
  const unknown = argv.filter((argument) => argument.startsWith("-") && argument !== "--json");
  const directories = argv.filter((argument) => !argument.startsWith("-"));
  if (unknown.length > 0 || directories.length !== 1) {
    process.stderr.write(`${unknown.length > 0 ? `unknown option ${unknown[0]}\n` : ""}${usage}\n`);
    return exitCodes.badInput;
  }
  const paths = findCases(directories[0]!);
  const missing = await missingWebgpu();
  if (missing !== undefined)
    process.stderr.write(
      `not run: wgsl: ${missing}; scripts/install-webgpu-drivers.sh brings software drivers\n`,
    );
  if (!json) process.stdout.write(`${headingText()}\n\n`);
  const cases: CaseReport[] = [];
  for (const path of paths) {
    const one = await runCase(path);
    cases.push(one);
    if (!json) process.stdout.write(`${caseText(one)}\n\n`);
  }
  const report = reportOf(cases);
  process.stdout.write(json ? `${JSON.stringify(report, spelled, 2)}\n` : `${totalsText(report)}\n`);
  return allPass(report) ? exitCodes.ok : exitCodes.disagree;
}

/** JSON has no infinities: a comparison of different shapes is spelled out. */
function spelled(_: string, value: unknown): unknown {
  return typeof value === "number" && !Number.isFinite(value) ? String(value) : value;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof DlmcError)) throw error;
  for (const { code, message, help } of error.diagnostics)
    process.stderr.write(`${code}: ${message}${help === undefined ? "" : `\n  ${help}`}\n`);
  process.exitCode = error.exitCode;
}
