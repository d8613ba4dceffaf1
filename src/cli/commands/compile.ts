// dlmc compile MODEL --target onnx -o DIR

import { type Command, Option } from "commander";
import { compile } from "../../api/compile.js";
import { checkValues } from "../../passes/check-values.js";
import { type ExitCode, exitCodes } from "../../support/diagnostic.js";
import { lengths, targetNames, withBuild, withWeights } from "../flags.js";
import { bytesText, print, printJson, printProblems } from "../print.js";

interface Flags {
  readonly target: string;
  readonly out: string;
  readonly profile: "standard" | "cpu" | "cuda";
  readonly spectra: "fold" | "load";
  readonly minOrt?: string;
  readonly length?: number[];
  readonly sample?: true;
  readonly weights?: string;
  readonly synthetic?: number;
  readonly checkPasses?: true;
  readonly json?: true;
}

export function addCompile(program: Command, finish: (code: ExitCode) => void): void {
  const command = program
    .command("compile <model>")
    .description("compile a description and its weights into an artefact")
    .addOption(new Option("-t, --target <name>", "what to emit").choices(targetNames).default("onnx"))
    .requiredOption(
      "-o, --out <dir>",
      "directory to write; replaced as a whole, or left untouched on an error",
    )
    .option("--length <n,..>", "sequence lengths to build, sharing one weight file", lengths)
    .option("--sample", "also emit sample.onnx: the whole sampling loop in one graph, noise as an input")
    .option(
      "--check-passes",
      "evaluate the module in float64 after every pass and name the one that changes a value",
    )
    .option("--json", "print the manifest");
  withBuild(withWeights(command)).action((model: string, flags: Flags) => {
    const { out, length, checkPasses, json, ...rest } = flags;
    const run = checkPasses ? { after: checkValues() } : undefined;
    const manifest = compile({
      model,
      outDir: out,
      warn: printProblems,
      ...rest,
      ...(length && { lengths: length }),
      ...(run && { run }),
    });
    if (json) printJson(manifest);
    else {
      for (const graph of manifest.graphs)
        print(
          `${graph.file.padEnd(24)} ${bytesText(graph.bytes).padStart(8)}  opset ${graph.opset}, IR ${graph.irVersion}`,
        );
      print(`${manifest.weights.file.padEnd(24)} ${bytesText(manifest.weights.bytes).padStart(8)}`);
      print(`wrote ${out}`);
    }
    finish(exitCodes.ok);
  });
}
