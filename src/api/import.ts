// importCheckpoint(): a checkpoint of a known layout becomes a description that names it.

import { existsSync, linkSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import {
  type Assumption,
  describeCheckpoint,
  type Json,
  knownLayouts,
  readLayout,
  readSource,
  recognise,
} from "../import/index.js";
import { type Diagnostic, DlmcError, fail } from "../support/diagnostic.js";
import { pathKind } from "../weights/file-source.js";
import { numberPattern } from "../weights/nearest.js";
import { loadModel } from "./load.js";

export interface ImportOptions {
  /** A safetensors file, an index of shards, or a directory with one of them and perhaps a config.json. */
  readonly checkpoint: string;
  /** Where the description goes; `model.json` by default. */
  readonly out?: string;
  /** Name of a layout, or the path of a layout file; recognised from the tensors by default. */
  readonly layout?: string;
  /** What the names of the layout's tensors begin with; every other tensor is then left alone. */
  readonly prefix?: string;
  /** Sequence length; the checkpoint's own by default. */
  readonly length?: number;
  /** Values of the layout by name, for what the checkpoint does not say or says wrongly. */
  readonly values?: Readonly<Record<string, Json>>;
  /** Replace an existing description; false by default. */
  readonly force?: boolean;
  /** Sees what is legal but probably not meant; passed over by default. */
  readonly warn?: (warnings: readonly Diagnostic[]) => void;
}

/** What was imported (schema/import.schema.json). */
export interface Imported {
  readonly layout: string;
  readonly checkpoint: string;
  readonly model: string;
  /** Values that nothing in the checkpoint says; each has the system's published default. */
  readonly assumed: readonly Assumption[];
  /** Further choices that come with the layout, and remarks on it. */
  readonly notes: readonly string[];
}

/**
 * Writes the description of a checkpoint: its sizes, its name map, and published defaults for what a checkpoint
 * cannot say. The description is read back, lowered and bound to the checkpoint before it takes its place, so a file
 * that is there is a model that compiles; on an error nothing is written. Of the checkpoint only headers are read, and
 * tensors that the noise schedule names: values are looked at by compile and check. Throws DlmcError (exit 2): `import/..`
 * for the checkpoint, `layout/..` for a layout file, `output/exists`, and what reading descriptions and weights throws.
 */
export function importCheckpoint(options: ImportOptions): Imported {
  const { checkpoint, out = "model.json", prefix } = options;
  const layouts = layoutsFor(options.layout);
  const source = readSource(checkpoint, layouts.length === 1 ? layouts[0]!.state_dict : undefined);
  const recognised = recognise(layouts, source, prefix);
  const given = new Map(Object.entries(options.values ?? {}));
  if (options.length !== undefined) given.set("length", options.length);
  const { description, assumed } = describeCheckpoint(recognised, source, given);
  if (existsSync(out) && options.force !== true)
    fail("output/exists", `${out} is already there`, {
      file: out,
      help: "give another place with -o FILE, or --force to replace it",
    });
  const { map, ignore } = description.weights as { readonly map: Json; readonly ignore: readonly Json[] };
  const others = prefix === undefined ? [] : outside([...source.shapes.keys()], prefix);
  const path = relative(dirname(resolve(out)), resolve(source.file)).replaceAll("\\", "/");
  const weights = {
    [path.endsWith(".json") ? "index" : "file"]: path,
    map,
    ignore: [...ignore, ...others],
  };
  writeChecked(out, { ...description, weights }, options);
  const { layout } = recognised;
  return {
    layout: layout.name,
    checkpoint: source.file,
    model: out,
    assumed,
    notes: [...(layout.assumed ?? []), ...(layout.notes ?? [])],
  };
}

/** The layouts that `importCheckpoint` knows: name, system, upstream's source. */
export function importLayouts(): readonly { name: string; title: string; source: string }[] {
  return knownLayouts().map(({ name, title, source }) => ({ name, title, source }));
}

function layoutsFor(named: string | undefined) {
  if (named === undefined) return knownLayouts();
  const known = knownLayouts();
  const hit = known.find(({ name }) => name === named);
  if (hit !== undefined) return [hit];
  if (named.endsWith(".json") || pathKind(named) === "file") return [readLayout(named)];
  return fail("import/no-layout", `there is no layout ${named}`, {
    help: `known: ${known.map(({ name }) => name).join(", ")}; a path that ends in .json is a layout file of your own`,
  });
}

/** Patterns of all names that do not begin with the prefix. A tensor that is used may match one. */
function outside(names: readonly string[], prefix: string): readonly string[] {
  return [...new Set(names.filter((name) => !name.startsWith(prefix)).map(numberPattern))];
}

/** Writes beside the target, reads that back as a model, and only then renames. */
function writeChecked(out: string, description: Json, { warn, force }: ImportOptions): void {
  const target = resolve(out);
  const temporary = join(dirname(target), `.${basename(target)}-${process.pid}.json`);
  try {
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(temporary, `${JSON.stringify(description, undefined, 2)}\n`);
    loadModel({ model: temporary, values: false, ...(warn !== undefined && { warn }) });
    if (force === true) renameSync(temporary, target);
    else linkSync(temporary, target);
  } catch (error) {
    throw withoutTemporary(error, temporary, out);
  } finally {
    rmSync(temporary, { force: true });
  }
}

/** Diagnostics name the file that the user asked for. */
function withoutTemporary(error: unknown, temporary: string, out: string): unknown {
  if (error instanceof Error && "syscall" in error)
    return new DlmcError([
      {
        severity: "error",
        code: "output/write",
        message: `cannot write ${out}: ${error.message}`,
        help: "check the path and its permissions; nothing was written",
      },
    ]);
  if (!(error instanceof DlmcError)) return error;
  return new DlmcError(
    error.diagnostics.map((one) => ({ ...one, ...(one.file === temporary && { file: out }) })),
    error.exitCode,
  );
}
