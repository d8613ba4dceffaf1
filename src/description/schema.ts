// The bundled JSON Schema as data: what defaults and diagnostics ask it. Only the keywords that schema/ uses.

import { splitPointer } from "../support/pointer.js";
import { suggest } from "../support/suggest.js";
import { bundledSchema } from "./generated/schema.js";

/** A node of the schema. */
export interface SchemaNode {
  readonly $ref?: string;
  readonly title?: string;
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly default?: unknown;
  /** How a default that depends on other fields is computed, in words; derive.ts does it. */
  readonly "x-derived"?: string;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: SchemaNode | false;
  readonly items?: SchemaNode;
  readonly discriminator?: { readonly propertyName: string };
  readonly oneOf?: readonly SchemaNode[];
  readonly if?: SchemaNode;
  readonly then?: SchemaNode;
  readonly else?: SchemaNode;
  readonly $defs?: Readonly<Record<string, SchemaNode>>;
}

/** The whole schema; its own keywords describe the top level of a description. */
export const schema = bundledSchema as SchemaNode;

/** A node of `$defs`, by the name its TypeScript type has. */
export function definition(name: string): SchemaNode {
  return schema.$defs?.[name] ?? {};
}

/** The node itself, or what it refers to. A reference's own default stays with the reference. */
export function target(node: SchemaNode): SchemaNode {
  return node.$ref === undefined ? node : target(definition(node.$ref.slice("#/$defs/".length)));
}

/**
 * The node that describes the value at `pointer` of `document`, found by walking both; of a union the union
 * itself, not the chosen alternative. An empty node where the schema knows nothing.
 */
export function nodeFor(document: unknown, pointer: string): SchemaNode {
  let node = chosen(schema, document);
  let value = document;
  for (const key of splitPointer(pointer)) {
    const branch = branchFor(node, value) ?? {};
    const rest = branch.additionalProperties;
    const next = Array.isArray(value) ? branch.items : (branch.properties?.[key] ?? (rest || undefined));
    value =
      isObject(value) || Array.isArray(value) ? (value as Readonly<Record<string, unknown>>)[key] : undefined;
    node = chosen(next ?? {}, value);
  }
  return node;
}

/** References and conditions followed. */
function chosen(node: SchemaNode, value: unknown): SchemaNode {
  const here = target(node);
  if (here.if === undefined) return here;
  return chosen((holds(here.if, value) ? here.then : here.else) ?? {}, value);
}

/** The alternative that applies to `value`; undefined when a discriminator names none. */
export function branchFor(node: SchemaNode, value: unknown): SchemaNode | undefined {
  const here = chosen(node, value);
  if (here.oneOf === undefined || here.discriminator === undefined) return here;
  const name = here.discriminator.propertyName;
  const tag = isObject(value) ? value[name] : undefined;
  return here.oneOf.map(target).find((branch) => branch.properties?.[name]?.const === tag);
}

/** The values a discriminator may have, in the order of the schema. */
export function knownTags(node: SchemaNode): string[] {
  const { discriminator, oneOf = [] } = target(node);
  const name = discriminator?.propertyName ?? "";
  return oneOf.map((branch) => String(target(branch).properties?.[name]?.const));
}

/** Whether `value` meets the condition of an `if`; they ask only for a type and for keys. */
function holds(condition: SchemaNode, value: unknown): boolean {
  const typeFits =
    condition.type === "array" ? Array.isArray(value) : condition.type !== "object" || isObject(value);
  return typeFits && (condition.required ?? []).every((key) => isObject(value) && Object.hasOwn(value, key));
}

/** Titles of the definitions that have a field of this name, for "it belongs elsewhere". */
export function ownersOf(field: string): string[] {
  return Object.values(schema.$defs ?? {})
    .filter((node) => Object.hasOwn(node.properties ?? {}, field))
    .map((node) => (node.title ?? "").toLowerCase());
}

/** The field of `node` that `word` was probably meant to be. */
export function nearestField(node: SchemaNode, word: string): string | undefined {
  return suggest(word, Object.keys(node.properties ?? {}));
}

/** A JSON object: neither null nor an array. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}
