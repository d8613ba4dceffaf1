// dlmc compile MODEL --target onnx -o DIR

import { type Command, Option } from "commander";
import { compile } from "../../api/compile.js";
import { checkValues } from "../../passes/check-values.js";
import { type ExitCode, exitCodes } from "../../support/diagnostic.js";
import { type BuildFlags, lengths, targetNames, type WeightFlags, withBuild, withWeights } from "../flags.js";
import { bytesText, print, printJson, printProblems } from "../print.js";

interface Flags extends BuildFlags, WeightFlags {
  readonly target: string;
  readonly out: string;
  readonly length?: number[];
  readonly sample?: true;
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
