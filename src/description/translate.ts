// ajv's findings in the words of a description: what was expected, what stands there, what was probably meant.

import type { Diagnostic } from "../support/diagnostic.js";
import { joinPointer, splitPointer, valueAt } from "../support/pointer.js";
import { suggestion } from "../support/suggest.js";
import type { SchemaError } from "./generated/validate.js";
import {
  branchFor,
  isObject,
  knownTags,
  nearestField,
  nodeFor,
  ownersOf,
  type SchemaNode,
  schema,
} from "./schema.js";

type Finding = Omit<Diagnostic, "severity">;

/** The diagnostic of one finding, or undefined when another finding says the same better. */
export function translate(error: SchemaError, document: unknown): Finding | undefined {
  const pointer = error.instancePath;
  const value = valueAt(document, pointer);
  // ajv's own schemaPath starts anew at every reference, so the node is found by walking the document.
  const union = nodeFor(document, pointer);
  const node = branchFor(union, value) ?? union;
  const { params } = error;
  switch (error.keyword) {
    case "additionalProperties":
      return unknownKey(String(params.additionalProperty), node, pointer);
    case "required":
      return missingKey(String(params.missingProperty), node, value, pointer);
    case "discriminator":
      return unknownTag(params, union, value, pointer);
    case "type":
      return {
        code: "model/type",
        message: `expected ${article(String(params.type))}, found ${show(value)}`,
        pointer,
      };
    case "const":
    case "enum":
      return unknownValue(node, value, pointer);
    case "pattern":
      return {
        code: "model/value",
        message: `${show(value)} is not allowed here`,
        pointer,
        help:
          pointer === "/name" ? "use letters, digits, dots, underscores and hyphens" : "it must not be empty",
      };
    case "minItems":
    case "maxItems":
      return {
        code: "model/length",
        message: `expected ${error.keyword === "minItems" ? "at least" : "at most"} ${count(params.limit, "item")}, found ${count((value as unknown[]).length, "item")}`,
        pointer,
      };
    case "minimum":
    case "maximum":
    case "exclusiveMinimum":
    case "exclusiveMaximum":
      return {
        code: "model/range",
        message: `expected a number ${bounds[error.keyword]} ${String(params.limit)}, found ${show(value)}`,
        pointer,
      };
    // The chosen alternative has findings of its own.
    case "if":
      return undefined;
    default:
      return {
        code: "model/invalid",
        message: `${show(value)} breaks the schema's ${error.keyword}`,
        pointer,
      };
  }
}

function unknownKey(key: string, node: SchemaNode, pointer: string): Finding {
  const fields = Object.keys(node.properties ?? {});
  const near = nearestField(node, key);
  const owners = ownersOf(key);
  const help =
    near === undefined && owners.length > 0
      ? `"${key}" is a field of: ${owners.join(", ")}`
      : suggestion(key, fields);
  return {
    code: "model/unknown-key",
    message: `${titled(node, pointer)} has no field "${key}"`,
    pointer: joinPointer(pointer, key),
    atKey: true,
    help,
  };
}

function missingKey(key: string, node: SchemaNode, value: unknown, pointer: string): Finding | undefined {
  // A misspelt key is one problem, not a missing and an unknown one.
  if (misspelt(node, value).includes(key)) return undefined;
  const tags = node.discriminator?.propertyName === key ? knownTags(node) : [];
  return {
    code: "model/missing-key",
    message: `${titled(node, pointer)} needs the field "${key}"`,
    pointer,
    ...(tags.length > 0 ? { help: `"${key}" is one of ${tags.map((tag) => `"${tag}"`).join(", ")}` } : {}),
  };
}

/** The fields that unknown keys of `value` were probably meant to be. */
export function misspelt(node: SchemaNode, value: unknown): string[] {
  const unknown = Object.keys(isObject(value) ? value : {}).filter(
    (key) => !Object.hasOwn(node.properties ?? {}, key),
  );
  return unknown.flatMap((key) => nearestField(node, key) ?? []);
}

function unknownTag(
  params: SchemaError["params"],
  node: SchemaNode,
  value: unknown,
  pointer: string,
): Finding | undefined {
  const name = String(params.tag);
  const tag = isObject(value) ? value[name] : undefined;
  // Not an object, or the key is missing: "type" or "required" says so.
  if (tag === undefined) return undefined;
  const place = joinPointer(pointer, name);
  if (typeof tag !== "string")
    return { code: "model/type", message: `expected a text, found ${show(tag)}`, pointer: place };
  return {
    code: "model/unknown-kind",
    message: `${named(pointer)} has no ${name} ${show(tag)}`,
    pointer: place,
    help: suggestion(tag, knownTags(node)),
  };
}

function unknownValue(node: SchemaNode, value: unknown, pointer: string): Finding {
  if (pointer === "/version")
    return {
      code: "model/version",
      message: `this dlmc reads version ${show(node.const)}, found ${show(value)}`,
      pointer,
    };
  const known = node.enum ?? [node.const];
  return {
    code: "model/value",
    message: `${show(value)} is not one of ${known.map((one) => show(one)).join(", ")}`,
    pointer,
    ...(typeof value === "string" ? { help: suggestion(value, known.map(String)) } : {}),
  };
}

const bounds = {
  minimum: "of at least",
  maximum: "of at most",
  exclusiveMinimum: "above",
  exclusiveMaximum: "below",
} as const;

/** The field's name, with the schema's title where that says more: `"mixer" (attention)`. */
function titled(node: SchemaNode, pointer: string): string {
  if (node === schema) return "the description";
  const field = named(pointer);
  const title = (node.title ?? "").toLowerCase();
  return title === "" || title === fieldName(pointer).replaceAll("_", " ") ? field : `${field} (${title})`;
}

function named(pointer: string): string {
  const name = fieldName(pointer);
  return /^\d+$/.test(name) ? `item ${name}` : `"${name}"`;
}

function fieldName(pointer: string): string {
  return splitPointer(pointer).at(-1) ?? "";
}

function article(type: string): string {
  const words: Readonly<Record<string, string>> = {
    integer: "a whole number",
    number: "a number",
    string: "a text",
    boolean: "true or false",
    object: "an object { .. }",
    array: "a list [ .. ]",
  };
  return words[type] ?? type;
}

function count(n: unknown, noun: string): string {
  return `${String(n)} ${noun}${n === 1 ? "" : "s"}`;
}

/** A value as it stands in the file, shortened. */
export function show(value: unknown): string {
  if (Array.isArray(value)) return `a list of ${count(value.length, "item")}`;
  if (isObject(value)) return "an object";
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > 40 ? `${text.slice(0, 37)}...` : text;
}
