// dlmc import PATH: a checkpoint of a published system becomes a description.

import { type Command, InvalidArgumentError } from "commander";
import { importCheckpoint, importLayouts } from "../../api/import.js";
import { type ExitCode, exitCodes, fail } from "../../support/diagnostic.js";
import { integer } from "../flags.js";
import { print, printJson, printProblems } from "../print.js";

interface Flags {
  readonly out: string;
  readonly layout?: string;
  readonly prefix?: string;
  readonly length?: number;
  readonly set?: Readonly<Record<string, string | number | boolean>>;
  readonly force?: true;
  readonly list?: true;
  readonly json?: true;
}

/** NAME=VALUE; numbers, true and false are what they look like. */
function setting(text: string, before: Flags["set"] = {}): NonNullable<Flags["set"]> {
  const [, name, value] = /^(\w+)=(.+)$/.exec(text) ?? [];
  if (name === undefined || value === undefined) throw new InvalidArgumentError("expected NAME=VALUE.");
  const number = Number(value);
  const typed = /^(true|false)$/.test(value) ? value === "true" : Number.isNaN(number) ? value : number;
  return { ...before, [name]: typed };
}

export function addImport(program: Command, finish: (code: ExitCode) => void): void {
  program
    .command("import [checkpoint]")
    .description("write the description of a published system's checkpoint (docs/import.md)")
    .option("-o, --out <file>", "where the description goes", "model.json")
    .option("--layout <name>", "layout by name or file; recognised from the tensors by default")
    .option("--prefix <text>", "what the names of the layout's tensors begin with")
    .option("--length <n>", "sequence length", integer(1))
    .option("--set <name=value>", "a value that the checkpoint does not say, e.g. heads=12", setting)
    .option("--force", "replace an existing description")
    .option("--list", "print the known layouts")
    .option("--json", "print as JSON (schema/import.schema.json)")
    .action((checkpoint: string | undefined, flags: Flags) => {
      if (flags.list) list(flags.json === true);
      else if (checkpoint === undefined)
        fail("flags/checkpoint", "import wants a checkpoint", {
          help: "name a safetensors file, an index or a directory; --list prints the known layouts",
        });
      else run(checkpoint, flags);
      finish(exitCodes.ok);
    });
}

function list(json: boolean): void {
  const layouts = importLayouts();
  if (json) printJson({ layouts });
  else {
    const width = Math.max(...layouts.map(({ name }) => name.length)) + 2;
    for (const { name, title, source } of layouts) print(`${name.padEnd(width)}${title}: ${source}`);
  }
}

function run(checkpoint: string, { set, json, list: _, ...flags }: Flags): void {
  const imported = importCheckpoint({
    checkpoint,
    warn: printProblems,
    ...flags,
    ...(set !== undefined && { values: set }),
  });
  for (const { name, value, why } of imported.assumed)
    process.stderr.write(
      `assumed: ${name} = ${JSON.stringify(value)} (${why}); --set ${name}=VALUE changes it\n`,
    );
  for (const note of imported.notes) process.stderr.write(`${note}\n`);
  if (json) printJson(imported);
  else print(`${imported.model}: ${imported.layout}, weights in ${imported.checkpoint}`);
}
