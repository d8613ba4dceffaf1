// Which layout a checkpoint has. Tensor names decide; where two systems share a network (MDLM and SEDD), so does
// config.json.

import { type Diagnostic, fail } from "../support/diagnostic.js";
import { numberPattern } from "../weights/nearest.js";
import type { Layout } from "./layout.js";
import { configEntry, type Source } from "./source.js";

/** A layout and what all of its tensor names begin with. */
export interface Recognised {
  readonly layout: Layout;
  readonly prefix: string;
}

/** Whether a pattern (`blocks.{i}.norm1.weight`; alternatives with " | ") names a tensor under the prefix. */
export function hasTensor({ shapes }: Source, prefix: string, pattern: string): boolean {
  return pattern.split(" | ").some((name) => shapes.has(prefix + name.replaceAll(/\{\w\}/g, "0")));
}

/** The required tensors that are not there, and those there that another system's checkpoints have. */
function misses({ layout, prefix }: Recognised, source: Source): readonly string[] {
  const { tensors, absent = [] } = layout.recognise;
  return [
    ...tensors.filter((name) => !hasTensor(source, prefix, name)).map((name) => `lacks ${prefix}${name}`),
    ...absent.filter((name) => hasTensor(source, prefix, name)).map((name) => `has ${prefix}${name}`),
  ];
}

type Evidence = "for" | "against" | "none";

/** What config.json says about a layout. */
function evidence({ recognise }: Layout, { config }: Source): Evidence {
  const found = Object.entries(recognise.config ?? {}).flatMap(([key, wanted]) => {
    const entry = configEntry(config, key);
    const values = (Array.isArray(entry) ? entry : [entry])
      .filter((value) => value !== undefined)
      .map(String);
    return values.length === 0 ? [] : [values.some((value) => wanted.includes(value))];
  });
  return found.length === 0 ? "none" : found.includes(true) ? "for" : "against";
}

function candidates(layout: Layout, prefix: string | undefined): readonly Recognised[] {
  return (prefix === undefined ? (layout.prefixes ?? [""]) : [prefix]).map((one) => ({
    layout,
    prefix: one,
  }));
}

const byLeast = <T>(items: readonly T[], of: (item: T) => number): T | undefined =>
  items.length === 0 ? undefined : items.reduce((best, item) => (of(item) < of(best) ? item : best));

/**
 * The layout of a checkpoint among `layouts`; `prefix` says where in the checkpoint it begins. Throws
 * `import/unknown-layout` with the nearest one and what it misses, `import/ambiguous-layout`.
 */
export function recognise(
  layouts: readonly Layout[],
  source: Source,
  prefix: string | undefined,
): Recognised {
  const all = layouts.flatMap((layout) => candidates(layout, prefix));
  const fitting = all.filter((one) => misses(one, source).length === 0);
  const possible = fitting.filter(({ layout }) => evidence(layout, source) !== "against");
  const certain = possible.filter(({ layout }) => evidence(layout, source) === "for");
  const left = certain.length > 0 ? certain : possible;
  const names = [...new Set(left.map(({ layout }) => layout.name))];
  if (names.length === 1) return left[0]!;
  if (names.length > 1)
    return fail("import/ambiguous-layout", `the tensors are those of ${names.join(" and of ")}`, {
      file: source.file,
      help: `say which: --layout ${names.join(", or --layout ")} (or put the checkpoint's config.json beside it)`,
    });
  return fail("import/unknown-layout", unknownMessage(source, fitting), {
    file: source.file,
    notes: nearest(all, source, layouts.length === 1),
    help: "name another layout (`dlmc import --list`), where it begins (--prefix TEXT), or write one (docs/import.md)",
  });
}

function unknownMessage(source: Source, fitting: readonly Recognised[]): string {
  if (fitting.length > 0)
    return `the tensors are those of ${fitting[0]!.layout.name}, but config.json is another model's: model_type ${JSON.stringify(configEntry(source.config, "model_type"))}`;
  const patterns = [...new Set([...source.shapes.keys()].map(numberPattern))];
  const seen = patterns.slice(0, 8).join(", ");
  const more = patterns.length > 8 ? ` and ${patterns.length - 8} more` : "";
  return `no layout fits these tensors: ${seen}${more}`;
}

function nearest(
  all: readonly Recognised[],
  source: Source,
  single: boolean,
): NonNullable<Diagnostic["notes"]> {
  const share = (one: Recognised): number =>
    misses(one, source).length / Math.max(1, one.layout.recognise.tensors.length);
  const best = byLeast(all, share);
  if (best === undefined || (!single && share(best) >= 1)) return [];
  return [{ message: `nearest is ${best.layout.name}: the checkpoint ${misses(best, source).join(", ")}` }];
}
