// JSON text -> validated, resolved description. Every problem of a file is reported in one run, as far as it
// can be seen: syntax first, then the schema, then which concepts the part has, then the rules between fields.

import type { Diagnostic } from "../support/diagnostic.js";
import { bug, Report } from "../support/diagnostic.js";
import { sortByPlace } from "../support/frame.js";
import { type JsonDocument, parseJson } from "../support/json.js";
import { joinPointer } from "../support/pointer.js";
import { resolveDefaults } from "./defaults.js";
import type { Description } from "./description.js";
import type { DescriptionFile } from "./generated/input.js";
import { validate } from "./generated/validate.js";
import { type PartName, parts, whereInstead } from "./parts.js";
import { checkRules } from "./rules.js";
import { isObject, schema } from "./schema.js";
import { misspelt, translate } from "./translate.js";

/**
 * Reads a description. Problems go to `report`, sorted by their place in the file; the result is undefined
 * when there is an error among them. `file` is the name that diagnostics carry.
 */
export function readDescription(text: string, file: string, report: Report): Description | undefined {
  const found = new Report(file);
  const description = read(text, found);
  for (const diagnostic of sortByPlace(found.diagnostics, text)) report.add(diagnostic);
  return found.hasErrors ? undefined : description;
}

function read(text: string, report: Report): Description | undefined {
  const document = parseJson(text, report);
  if (document === undefined) return undefined;
  checkSchema(document, report);
  checkParts(document.value, report);
  if (report.hasErrors) return undefined;
  const description = resolveDefaults(document.value as DescriptionFile);
  checkRules(description, report);
  return description;
}

function checkSchema({ value }: JsonDocument, report: Report): void {
  if (validate(value)) return;
  const seen = new Set<string>();
  for (const error of validate.errors ?? []) {
    const finding = translate(error, value);
    if (finding === undefined) continue;
    // Two keywords of one value, such as both bounds of a range, are one problem.
    const key = `${finding.code} ${finding.pointer} ${finding.message}`;
    if (seen.has(key)) continue;
    seen.add(key);
    report.add({ severity: "error", ...finding } satisfies Diagnostic);
  }
  if (seen.size === 0) bug("the schema refuses a description and nothing says why");
}

/** The concepts that the part needs, and those that have no place in it. */
function checkParts(value: unknown, report: Report): void {
  if (!isObject(value)) return;
  const part = value.part ?? "model";
  if (typeof part !== "string" || !Object.hasOwn(parts, part)) return;
  const { required, optional } = parts[part as PartName];
  const meant = misspelt(schema, value);
  const missing = required.filter((concept) => !Object.hasOwn(value, concept) && !meant.includes(concept));
  if (missing.length > 0)
    report.error(
      "model/missing-key",
      `${thePart(part)} needs ${missing.map((key) => `"${key}"`).join(", ")}`,
      {
        pointer: "",
      },
    );
  const general = new Set(["$schema", "version", "name", "part"]);
  const allowed = new Set<string>([...required, ...optional]);
  for (const concept of Object.keys(value)) {
    const known = Object.hasOwn(schema.properties ?? {}, concept);
    if (!known || general.has(concept) || allowed.has(concept)) continue;
    report.error("model/misplaced", `${thePart(part)} has no "${concept}"`, {
      pointer: joinPointer("", concept),
      atKey: true,
      help: whereInstead(part as PartName, concept),
    });
  }
}

function thePart(part: string): string {
  return part === "model" ? "a model" : `the part "${part}"`;
}
