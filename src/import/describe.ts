// From a recognised checkpoint to its description: the values of the layout, then its templates.

import { bug, DlmcError, fail, Report } from "../support/diagnostic.js";
import { ExpressionError, evaluateExpression, holds, type Scope, type Value } from "./expression.js";
import type { Layout, ValueRule } from "./layout.js";
import { hasTensor, type Recognised } from "./recognise.js";
import { configEntry, type Source } from "./source.js";
import { fill, type Json } from "./template.js";

/** A value that neither tensors nor config.json say. */
export interface Assumption {
  readonly name: string;
  readonly value: Json;
  readonly why: string;
}

/** The description of a checkpoint without its weights.file. */
export interface Described {
  readonly description: { readonly [key: string]: Json };
  readonly assumed: readonly Assumption[];
}

/** Values given by the user, by the names of the layout. */
export type Given = ReadonlyMap<string, Json>;

/** What an expression can ask of a checkpoint; every config key asked for is noted in `keys`. */
function functionsOf(source: Source, prefix: string, keys: string[]): Scope["functions"] {
  const shape = (name: Value) => source.shapes.get(prefix + String(name));
  return {
    extent: (name, axis) => shape(name)?.at(Number(axis)),
    rank: (name) => shape(name)?.length,
    has: (name) => hasTensor(source, prefix, String(name)),
    count: (pattern) => {
      let n = 0;
      while (source.shapes.has(prefix + String(pattern).replace("{i}", String(n)))) n++;
      return n;
    },
    sqrt: (x) => (typeof x === "number" ? Math.sqrt(x) : undefined),
    number: (text) => (text === undefined || Number.isNaN(Number(text)) ? text : Number(text)),
    config: (...names) => {
      keys.push(...names.map(String));
      return names.map((name) => configEntry(source.config, String(name))).find((one) => one !== undefined) as
        | Value
        | undefined;
    },
  };
}

/**
 * Describes a checkpoint. Throws `import/missing-value` for every size that nothing says, `import/unknown-value` for
 * a given value that the layout does not have, `import/unexpected` for every requirement that does not hold, and
 * `layout/expression` for mistakes of the layout.
 */
export function describeCheckpoint({ layout, prefix }: Recognised, source: Source, given: Given): Described {
  const keys: string[] = [];
  const scope: Scope = { names: new Map([["prefix", prefix]]), functions: functionsOf(source, prefix, keys) };
  try {
    const { names, assumed } = valuesOf(layout, source, given, scope, keys);
    const filled: Scope = { ...scope, names };
    const report = new Report(source.file);
    for (const { that, otherwise } of layout.require ?? [])
      if (!holds(that, filled))
        report.error("import/unexpected", String(fill(otherwise, filled)), {
          help: `${layout.title}'s layout wants ${that}; another variant of the system needs a layout of its own (docs/import.md)`,
        });
    report.throwIfErrors();
    return { description: withWeights(layout, prefix, source, filled), assumed };
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error;
    return fail("layout/expression", error.message, {
      file: layout.file,
      help: "docs/import.md lists what an expression may say",
    });
  }
}

function valuesOf(layout: Layout, source: Source, given: Given, scope: Scope, keys: string[]) {
  const names = new Map(scope.names);
  const assumed: Assumption[] = [];
  const report = new Report(source.file);
  for (const name of given.keys())
    if (layout.values[name] === undefined)
      report.error("import/unknown-value", `the layout ${layout.name} has no value \`${name}\``, {
        help: `it has ${Object.keys(layout.values).join(", ")}`,
      });
  report.throwIfErrors();
  for (const [name, rule] of Object.entries(layout.values)) {
    const full: ValueRule = typeof rule === "string" ? { from: rule, why: "" } : rule;
    keys.length = 0;
    const read = full.from === undefined ? undefined : evaluateExpression(full.from, { ...scope, names });
    const value = (given.get(name) as Value) ?? read;
    if (value === undefined && full.assume === undefined) missing(report, name, full, keys, source);
    else if (value === undefined) {
      const assumption = fill(full.assume!, { ...scope, names });
      assumed.push({ name, value: assumption ?? bug(`the default of ${name} is empty`), why: full.why });
      names.set(name, assumption as Value);
    } else names.set(name, value);
    // Later values may be made of this one; going on would only repeat the complaint.
    if (report.hasErrors) throw new DlmcError(report.diagnostics);
  }
  return { names, assumed };
}

function missing(
  report: Report,
  name: string,
  rule: ValueRule,
  keys: readonly string[],
  source: Source,
): void {
  const what = rule.why === "" ? `\`${name}\`` : `\`${name}\` (${rule.why})`;
  const where = keys.length === 0 ? `\`${rule.from}\`` : `config.json's ${keys.join(" or ")}`;
  const state = source.config === undefined ? `, and there is no ${source.configFile}` : "";
  report.error("import/missing-value", `nothing says ${what}: looked for ${where}${state}`, {
    help: `give it: --set ${name}=VALUE${keys.length > 0 ? `, or write "${keys[0]}" into config.json` : ""}`,
  });
}

/** The template filled, with `weights` from layers, map and ignore. */
function withWeights(layout: Layout, prefix: string, source: Source, scope: Scope): Described["description"] {
  const layers = Object.entries((fill(layout.layers ?? {}, scope) ?? {}) as Record<string, string>);
  const pairs = layers.flatMap(([canonical, stored]) =>
    ["weight", "bias"]
      .filter((part) => hasTensor(source, prefix, `${stored}.${part}`))
      .map((part) => [`${canonical}.${part}`, `${prefix}${stored}.${part}`] as const),
  );
  const map = Object.entries((fill(layout.map ?? {}, scope) ?? {}) as Record<string, Json>);
  const ignore = (fill(layout.ignore ?? [], scope) ?? []) as readonly string[];
  const described = fill(layout.description, scope) as Record<string, Json>;
  return {
    version: 1,
    ...described,
    weights: {
      map: {
        ...Object.fromEntries(pairs),
        ...Object.fromEntries(map.map(([key, from]) => [key, placed(from, prefix)])),
      },
      ignore: ignore.map((name) => prefix + name),
    },
  };
}

/** A source of the name map with the prefix in front of its tensor names. */
function placed(from: Json, prefix: string): Json {
  if (typeof from === "string") return prefix + from;
  if (Array.isArray(from)) return from.map((name) => prefix + String(name));
  const source = from as { readonly from: Json };
  return { ...source, from: placed(source.from, prefix) };
}
