// The `weights` part of a description: which checkpoint tensors a canonical parameter is made of.
// Keys are canonical names in which placeholders such as {i} stand for one number each; the right side may
// use them again. An exact key wins over a pattern, a pattern with fewer placeholders over one with more.
// A parameter that no key matches has the same name in the checkpoint.

import type { Report } from "../support/diagnostic.js";
import { joinPointer } from "../support/pointer.js";
import { nearestNames } from "./nearest.js";
import type { Transform } from "./transforms.js";

/** As `TransformedTensor` of schema/weights.schema.json. */
export interface TransformedTensor {
  readonly from: string | readonly string[];
  readonly transforms?: readonly Transform[];
}

/** As `map` and `ignore` of schema/weights.schema.json. */
export interface WeightMap {
  readonly map?: Readonly<Record<string, string | TransformedTensor>>;
  /** Checkpoint tensors the model does not use; {i} is one number, * is any text. */
  readonly ignore?: readonly string[];
}

/** How one parameter is made. */
export interface Recipe {
  readonly from: readonly string[];
  readonly transforms: readonly Transform[];
  /** JSON pointer of the map's entry in the description; absent when the names are equal. */
  readonly pointer?: string;
}

interface Rule {
  readonly key: string;
  readonly pattern: RegExp;
  readonly placeholders: readonly string[];
  readonly from: readonly string[];
  readonly transforms: readonly Transform[];
  readonly pointer: string;
}

export interface NameMap {
  /** The recipe of a canonical name. */
  recipe(canonical: string): Recipe;
  /** Whether an `ignore` pattern covers a checkpoint tensor. */
  ignores(stored: string): boolean;
}

const placeholder = /\{([A-Za-z_]\w*)\}/g;

/**
 * Prepares a map for the parameters of a model and checks it: `weights/map-key` for a key that names no
 * parameter, `weights/map-placeholder` for a placeholder that the key does not have, `weights/map-ambiguous`
 * for two patterns that claim one parameter. Pointers assume the map at /weights/map of `report.file`.
 */
export function nameMap(weights: WeightMap, canonical: readonly string[], report: Report): NameMap {
  const rules = Object.entries(weights.map ?? {}).map(([key, source]) => compileRule(key, source, report));
  const matched = new Set<string>();
  const recipes = new Map<string, Recipe>();
  for (const name of canonical) {
    const fitting = rules.filter((rule) => rule.pattern.test(name));
    for (const rule of fitting) matched.add(rule.key);
    const best = mostSpecific(name, fitting, report);
    recipes.set(name, best === undefined ? { from: [name], transforms: [] } : instantiate(best, name));
  }
  for (const rule of rules)
    if (!matched.has(rule.key)) {
      const near = nearestNames(rule.key, canonical);
      report.error("weights/map-key", `\`${rule.key}\` matches no parameter of this model`, {
        pointer: rule.pointer,
        atKey: true,
        help: near.length > 0 ? `did you mean ${near.join(", ")}?` : "remove the entry",
      });
    }
  const ignored = (weights.ignore ?? []).map(ignorePattern);
  return {
    recipe: (name) => recipes.get(name) ?? { from: [name], transforms: [] },
    ignores: (stored) => ignored.some((pattern) => pattern.test(stored)),
  };
}

/** A pattern of `ignore` as a regular expression over whole names: {i} is one number, * is any text. */
export function ignorePattern(pattern: string): RegExp {
  return new RegExp(
    `^${escapeRegExp(pattern)
      .replace(/\\\{[A-Za-z_]\w*\\\}/g, "\\d+")
      .replaceAll("\\*", ".*")}$`,
  );
}

function compileRule(key: string, source: string | TransformedTensor, report: Report): Rule {
  const { from, transforms = [] } = typeof source === "string" ? { from: source } : source;
  const names = typeof from === "string" ? [from] : from;
  const pointer = joinPointer("/weights/map", key);
  const placeholders = [...key.matchAll(placeholder)].map((match) => match[1]!);
  for (const name of names)
    for (const [written, variable] of name.matchAll(placeholder))
      if (!placeholders.includes(variable!))
        report.error(
          "weights/map-placeholder",
          `\`${name}\` uses ${written}, which \`${key}\` does not have`,
          {
            pointer,
            help:
              placeholders.length > 0
                ? `the key has ${placeholders.map((p) => `{${p}}`).join(", ")}`
                : `write ${written} in the key too, or a number on the right`,
          },
        );
  return { key, pattern: keyPattern(key), placeholders, from: names, transforms, pointer };
}

/** A placeholder that occurs twice in a key must be the same number in both places. */
function keyPattern(key: string): RegExp {
  const seen = new Set<string>();
  const source = escapeRegExp(key).replace(/\\\{([A-Za-z_]\w*)\\\}/g, (_, variable: string) => {
    if (seen.has(variable)) return `\\k<${variable}>`;
    seen.add(variable);
    return `(?<${variable}>\\d+)`;
  });
  return new RegExp(`^${source}$`);
}

function mostSpecific(name: string, fitting: readonly Rule[], report: Report): Rule | undefined {
  const order = [...fitting].sort((a, b) => a.placeholders.length - b.placeholders.length);
  const [first, second] = order;
  if (first !== undefined && second !== undefined && first.placeholders.length === second.placeholders.length)
    report.error("weights/map-ambiguous", `both \`${first.key}\` and \`${second.key}\` name \`${name}\``, {
      pointer: second.pointer,
      atKey: true,
      notes: [{ message: "the other entry", pointer: first.pointer }],
      help: `write an entry for \`${name}\` itself`,
    });
  return first;
}

function instantiate(rule: Rule, name: string): Recipe {
  const values = rule.pattern.exec(name)?.groups ?? {};
  const from = rule.from.map((source) =>
    source.replace(placeholder, (written, variable: string) => values[variable] ?? written),
  );
  return { from, transforms: rule.transforms, pointer: rule.pointer };
}

function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
