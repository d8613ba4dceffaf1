// The resolved form: every field that has a default is written out. Fixed defaults stand in the schema; those
// that depend on other fields ("x-derived") are computed in derive.ts. Resolving is idempotent, so the printed
// form reads back to the same description.

import { derive } from "./derive.js";
import type { Description } from "./description.js";
import type { DescriptionFile } from "./generated/input.js";
import { parts } from "./parts.js";
import { branchFor, isObject, type SchemaNode, schema } from "./schema.js";

/** Fills in every default of a description that the schema accepts and whose part has its concepts. */
export function resolveDefaults(file: DescriptionFile): Description {
  const filled = fillFile(file) as DescriptionFile;
  // The second filling completes what deriving added and puts every key in the schema's order.
  return fillFile(derive(filled)) as Description;
}

/** The description as JSON text, ready to be read again (`dlmc inspect --resolved`). */
export function printDescription(description: Description): string {
  return `${JSON.stringify(description, undefined, 2)}\n`;
}

/** The top level: only the concepts of the part get a default. */
function fillFile(file: DescriptionFile): unknown {
  const { required, optional } = parts[file.part ?? "model"];
  const concepts = new Set<string>([...required, ...optional]);
  const properties = Object.entries(schema.properties ?? {}).filter(
    ([key]) => concepts.has(key) || key === "version" || key === "name" || key === "part",
  );
  return fillObject({ properties: Object.fromEntries(properties) }, file);
}

function fill(node: SchemaNode, value: unknown): unknown {
  const branch = branchFor(node, value) ?? {};
  const { items } = branch;
  if (Array.isArray(value)) return items === undefined ? value : value.map((item) => fill(items, item));
  return isObject(value) ? fillObject(branch, value) : value;
}

function fillObject(node: SchemaNode, value: object): Record<string, unknown> {
  const given = value as Readonly<Record<string, unknown>>;
  const out: Record<string, unknown> = {};
  for (const [key, property] of Object.entries(node.properties ?? {})) {
    const present = Object.hasOwn(given, key) ? given[key] : property.default;
    if (present !== undefined) out[key] = fill(property, present);
  }
  const { additionalProperties: rest } = node;
  if (rest !== undefined && rest !== false)
    for (const [key, member] of Object.entries(given)) out[key] = fill(rest, member);
  return out;
}
