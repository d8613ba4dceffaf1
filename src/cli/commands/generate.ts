// dlmc generate MODEL --target onnx --seed 7 [--prompt TEXT | --tokens FILE] [--latents FILE]

import { type Command, Option } from "commander";
import { openSession, readTokens, type Session } from "../../api/generate.js";
import { writeLatents } from "../../api/latents.js";
import type { TokenState } from "../../runtime/index.js";
import { type ExitCode, exitCodes, fail } from "../../support/diagnostic.js";
import { pathKind } from "../../weights/file-source.js";
import { type BuildFlags, integer, targetNames, type WeightFlags, withBuild, withWeights } from "../flags.js";
import { isGiven, refuseBuildFlags, refuseOtherTargets } from "../flags-given.js";
import { liveView } from "../live.js";
import { print, printJson, printProblems } from "../print.js";

interface Flags extends BuildFlags, WeightFlags {
  readonly target: string;
  readonly seed: number;
  readonly steps?: number;
  readonly length?: number;
  readonly batch: number;
  readonly prompt?: string;
  readonly tokens?: string;
  readonly encoder?: string;
  readonly class?: number;
  readonly latents?: string;
  readonly live?: boolean;
  readonly trace?: true;
  readonly json?: true;
}

export function addGenerate(program: Command, finish: (code: ExitCode) => void): void {
  const command = program
    .command("generate <model>")
    .description("sample text from a description, or from a compiled bundle's directory")
    .addOption(
      new Option("-t, --target <name>", "what runs the network")
        .choices(["reference", ...targetNames])
        .default("onnx"),
    )
    .option(
      "--seed <n>",
      "seed of the noise; the same seed gives the same text on every target",
      integer(0),
      0,
    )
    .option("--steps <n>", "sampling steps", integer(1))
    .option("--length <n>", "sequence length", integer(1))
    .option("--batch <n>", "texts at once", integer(1, 4096), 1)
    .addOption(
      new Option("--prompt <text>", "text with blanks; the blanks are generated").conflicts("tokens"),
    )
    .option("--tokens <file>", "JSON list of token ids with null for blanks, instead of a prompt")
    .option(
      "--encoder <file>",
      "FILE.safetensors or FILE.safetensors:TENSOR, the output of an encoder that the model attends to",
    )
    .option("--class <n>", "the class of the texts, of a model that is told one; none without it", integer(0))
    .option(
      "--latents <file>",
      "of a model of latents: write them to FILE as safetensors, tensor latents [B, L, d]",
    )
    .option("--no-live", "do not show denoising on the terminal")
    .option("--trace", "with --json: the tokens of every step")
    .option("--json", "print the result as JSON (schema/generate.schema.json)");
  withBuild(withWeights(command)).action(async (model: string, flags: Flags) => {
    if (pathKind(model) === "directory") refuseBuildFlags(command, model);
    else if (flags.target !== "reference") refuseOtherTargets(command, flags.target);
    if (flags.trace && !flags.json) fail("flags/trace", "--trace is for --json", { help: "add --json" });
    const { tokens: tokensFile, latents, class: label, json, trace, live, ...rest } = flags;
    const tokens = tokensFile === undefined ? undefined : readTokens(tokensFile);
    const session = await openSession({
      model,
      warn: printProblems,
      keepLogits: false,
      ...rest,
      ...(tokens && { tokens }),
      ...(label !== undefined && { classes: label }),
    });
    try {
      if (isGiven(command, "target") && session.target !== flags.target)
        fail("flags/bundle", `${model} is compiled for ${session.target}, not for ${flags.target}`, {
          help: "leave --target out",
        });
      checkLatents(session, latents);
      await run(session, flags, tokens);
    } finally {
      await session.close();
    }
    finish(exitCodes.ok);
  });
}

/** A model that ends in latents has somewhere to put them, another has none. */
function checkLatents({ runner, plan }: Session, file: string | undefined): void {
  const made = "final" in plan && plan.final === "decode";
  if (file !== undefined && !made)
    fail("generate/latents", "this model generates tokens and has no latents to write", {
      help: "leave --latents out",
    });
  if (file === undefined && made && runner.vocabulary === 0)
    fail("generate/latents", "this model generates latents, and nothing says where to", {
      help: "add --latents FILE.safetensors and give that to the autoencoder's decoder",
    });
}

async function run(
  session: Session,
  flags: Flags,
  tokens: readonly (number | null)[] | undefined,
): Promise<void> {
  const { length } = session.runner;
  const given =
    flags.prompt !== undefined
      ? session.tokenizer!.encode(flags.prompt, length).mask
      : Uint8Array.from({ length }, (_, i) => (tokens?.[i] == null ? 0 : 1));
  const symbol = (token: number): string => session.tokenizer?.symbols[token] ?? `${token} `;
  const shown = !("final" in session.plan && session.plan.final === "decode");
  const terminal = shown && process.stderr.isTTY === true && flags.live !== false && !flags.json;
  const view = terminal
    ? liveView(
        length,
        symbol,
        (i) => given[i] === 1,
        (text) => process.stderr.write(text),
        process.stderr.columns || 80,
      )
    : undefined;
  const steps: { step: number; tokens: number[] }[] = [];
  let last: TokenState | undefined;
  for await (const state of session.states()) {
    view?.show(state);
    if (flags.trace) steps.push({ step: state.step, tokens: [...state.tokens] });
    last = state;
  }
  view?.end();
  report(session, flags, last!, steps);
}

function report(
  session: Session,
  flags: Flags,
  last: TokenState,
  steps: readonly { step: number; tokens: number[] }[],
): void {
  const length = last.tokens.length / flags.batch;
  const rows = Array.from({ length: flags.batch }, (_, b) =>
    last.tokens.subarray(b * length, (b + 1) * length),
  );
  if (last.latents && flags.latents !== undefined) {
    const width = last.latents.length / flags.batch / session.runner.length;
    writeLatents(flags.latents, last.latents, [flags.batch, session.runner.length, width]);
  }
  const text = (row: Int32Array): string => session.tokenizer?.decode(row) ?? [...row].join(" ");
  if (!flags.json) {
    if (length > 0) for (const row of rows) print(text(row));
    return;
  }
  printJson({
    target: session.target,
    seed: flags.seed,
    steps: session.plan.rows.length,
    ...(flags.latents !== undefined && { latents: flags.latents }),
    texts: rows.map((row, b) => ({
      tokens: [...row],
      ...(session.tokenizer && { text: text(row) }),
      ...leastMargin(last.margins?.subarray(b * length, (b + 1) * length)),
    })),
    ...(flags.trace && { trace: steps }),
  });
}

/** Of the positions that were computed. */
function leastMargin(margins: TokenState["margins"]): { readonly leastMargin?: number } {
  let least = Number.POSITIVE_INFINITY;
  for (const margin of margins ?? []) if (margin < least) least = margin;
  return least === Number.POSITIVE_INFINITY ? {} : { leastMargin: least };
}
