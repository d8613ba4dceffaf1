// dlmc compile MODEL --target onnx|wgsl -o DIR

import { type Command, Option } from "commander";
import { compile } from "../../api/compile.js";
import type { OnnxManifest } from "../../emit-onnx/manifest.js";
import type { WgslManifest } from "../../emit-wgsl/bundle/manifest.js";
import { checkValues } from "../../passes/check-values.js";
import { type ExitCode, exitCodes } from "../../support/diagnostic.js";
import {
  type BuildFlags,
  integer,
  lengths,
  targetNames,
  type WeightFlags,
  withBuild,
  withWeights,
} from "../flags.js";
import { refuseOtherTargets } from "../flags-given.js";
import { bytesText, print, printJson, printProblems } from "../print.js";

interface Flags extends BuildFlags, WeightFlags {
  readonly target: string;
  readonly out: string;
  readonly length?: number[];
  readonly sample?: true;
  readonly batch?: number;
  readonly examples?: string;
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
      "directory to write: new, empty, or an earlier bundle, which is replaced as a whole or left untouched on an error",
    )
    .option("--length <n,..>", "sequence lengths to build, sharing one weight file", lengths)
    .option(
      "--sample",
      "for onnx: also emit sample.onnx: the whole sampling loop in one graph, noise as an input",
    )
    .option("--batch <n>", "for wgsl: texts at once; onnx takes any number", integer(1, 4096))
    .option("--examples <file>", "JSON list of { name, prompt } for the page of a wgsl bundle")
    .option(
      "--check-passes",
      "evaluate the module in float64 after every pass and name the one that changes a value",
    )
    .option("--json", "print the manifest");
  withBuild(withWeights(command)).action((model: string, flags: Flags) => {
    refuseOtherTargets(command, flags.target, { wgsl: ["batch"] });
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
      for (const line of manifest.format === "dlmc-wgsl" ? wgslLines(manifest) : onnxLines(manifest))
        print(line);
      print(`wrote ${out}`);
    }
    finish(exitCodes.ok);
  });
}

function onnxLines({ graphs, weights }: OnnxManifest): string[] {
  return [
    ...graphs.map(
      ({ file, bytes, opset, irVersion }) => `${fileText(file, bytes)}  opset ${opset}, IR ${irVersion}`,
    ),
    fileText(weights.file, weights.bytes),
  ];
}

function wgslLines({ graphs, kernels, arenas, weights }: WgslManifest): string[] {
  const memory = arenas.reduce((sum, bytes) => sum + bytes, 0);
  return [
    ...graphs.map(
      ({ name, length, dispatches }) =>
        `@${length === undefined ? name : `${name} L=${length}`}`.padEnd(24) +
        ` ${String(dispatches.length).padStart(8)} dispatches`,
    ),
    `${"kernels/".padEnd(24)} ${String(kernels.length).padStart(8)} files`,
    `${fileText("arenas", memory)}  in ${arenas.length}`,
    fileText(weights.file, weights.bytes),
  ];
}

function fileText(file: string, bytes: number): string {
  return `${file.padEnd(24)} ${bytesText(bytes).padStart(8)}`;
}
