// A layout: how the checkpoints of one system are recognised and what their description is. Layouts are data,
// layouts/<system>.json; schema/layout.schema.json says what each field means.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import { fail, Report } from "../support/diagnostic.js";
import { parseJson } from "../support/json.js";
import type { Json } from "./template.js";

/** A size or choice of a system, from an expression; `assume` is the published default where nothing says it. */
export interface ValueRule {
  readonly from?: string;
  readonly assume?: Json;
  readonly why: string;
}

/** A condition on a checkpoint that dlmc relies on, and what it means when it fails. */
export interface Requirement {
  readonly that: string;
  readonly otherwise: string;
}

/** A layout file as read. */
export interface Layout {
  readonly file: string;
  readonly name: string;
  readonly title: string;
  readonly source: string;
  readonly recognise: {
    readonly tensors: readonly string[];
    readonly absent?: readonly string[];
    readonly config?: Readonly<Record<string, readonly string[]>>;
  };
  readonly prefixes?: readonly string[];
  readonly values: Readonly<Record<string, string | ValueRule>>;
  readonly require?: readonly Requirement[];
  readonly description: Json;
  readonly layers?: Json;
  readonly map?: Json;
  readonly ignore?: Json;
  readonly assumed?: readonly string[];
  readonly notes?: readonly string[];
  readonly state_dict?: string;
}

const schemaFile = fileURLToPath(new URL("../../schema/layout.schema.json", import.meta.url));
const folder = fileURLToPath(new URL("../../layouts/", import.meta.url));

let validator: ValidateFunction | undefined;

/** Reads a layout file. Throws `layout/open`, the problems of its JSON, and `layout/schema` for each wrong field. */
export function readLayout(file: string): Layout {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    return fail("layout/open", `cannot read the layout: ${(error as Error).message}`, {
      file,
      help: "name a layout file, or one of `dlmc import --list`",
    });
  }
  const report = new Report(file);
  const document = parseJson(text, report);
  report.throwIfErrors();
  validator ??= new Ajv2020({ allErrors: true, allowUnionTypes: true }).compile(
    JSON.parse(readFileSync(schemaFile, "utf8")),
  );
  if (!validator(document?.value))
    for (const { instancePath, message, params } of validator.errors ?? [])
      report.error("layout/schema", `${message}: ${JSON.stringify(params)}`, {
        pointer: instancePath,
        help: "schema/layout.schema.json describes every field; docs/import.md has an example",
      });
  report.throwIfErrors();
  return { ...(document!.value as Omit<Layout, "file">), file };
}

/** The layouts that come with dlmc, by name. */
export function knownLayouts(): readonly Layout[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith(".json"))
    .sort()
    .map((file) => readLayout(join(folder, file)));
}
