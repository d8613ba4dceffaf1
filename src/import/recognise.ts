// Which layout a checkpoint has. Tensor names decide; where systems share a network (MDLM, SEDD, Duo, BD3-LM), so does
// config.json. What training tools put before every name (`module._orig_mod.`) is looked through.

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

/** What DistributedDataParallel, torch.compile, Lightning modules and moving averages put before names. */
const wrapper = /^(?:(?:module|_orig_mod|model|net|network|backbone|ema|ema_model|averaged_model)\.)+/;

/** Every run of wrappers that a name of the checkpoint begins with, and nothing, shortest first. */
function wrappersOf({ shapes }: Source): readonly string[] {
  const found = new Set([""]);
  for (const name of shapes.keys()) {
    const words = (wrapper.exec(name)?.[0] ?? "").split(".").slice(0, -1);
    for (const [i] of words.entries()) found.add(`${words.slice(0, i + 1).join(".")}.`);
  }
  return [...found].sort((a, b) => a.length - b.length);
}

function candidates(layout: Layout, wrappers: readonly string[]): readonly Recognised[] {
  const own = layout.prefixes ?? [""];
  const prefixes = new Set([...own, ...wrappers.flatMap((outer) => own.map((inner) => outer + inner))]);
  return [...prefixes].map((prefix) => ({ layout, prefix }));
}

/**
 * The layout of a checkpoint among `layouts`; `prefix` says where in the checkpoint it begins. Throws
 * `import/unknown-layout` with the nearest ones and what they miss, `import/ambiguous-layout`, and
 * `import/ambiguous-prefix` where a checkpoint has the tensors twice (weights and their moving averages).
 */
export function recognise(
  layouts: readonly Layout[],
  source: Source,
  prefix: string | undefined,
): Recognised {
  const wrappers = wrappersOf(source);
  const all = layouts.flatMap((layout) =>
    prefix === undefined ? candidates(layout, wrappers) : [{ layout, prefix }],
  );
  const fitting = all.filter((one) => misses(one, source).length === 0);
  const possible = fitting.filter(({ layout }) => evidence(layout, source) !== "against");
  const certain = possible.filter(({ layout }) => evidence(layout, source) === "for");
  const left = certain.length > 0 ? certain : possible;
  const names = [...new Set(left.map(({ layout }) => layout.name))];
  if (names.length === 1 && left.length > 1)
    return fail("import/ambiguous-prefix", `the tensors of ${names[0]} are there ${left.length} times`, {
      file: source.file,
      help: `say which: ${left.map((one) => `--prefix ${one.prefix === "" ? '""' : one.prefix}`).join(", or ")} (moving averages are usually the ones to use)`,
    });
  if (names.length === 1) return left[0]!;
  if (names.length > 1)
    return fail("import/ambiguous-layout", `these tensors are those of ${listed(names)}`, {
      file: source.file,
      help: `say which: --layout ${names.join(", or --layout ")} (or put the checkpoint's config.json beside it)`,
    });
  return fail("import/unknown-layout", unknownMessage(source, fitting), {
    file: source.file,
    notes: nearest(all, source, layouts.length === 1),
    help: "name another layout (`dlmc import --list`), where it begins (--prefix TEXT), or write one (docs/import.md); for a module of your own, write the description (docs/from-pytorch.md)",
  });
}

const listed = (names: readonly string[]): string => `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;

function unknownMessage(source: Source, fitting: readonly Recognised[]): string {
  if (fitting.length > 0)
    return `the tensors are those of ${fitting[0]!.layout.name}, but config.json is another model's: model_type ${JSON.stringify(configEntry(source.config, "model_type"))}`;
  const patterns = [...new Set([...source.shapes.keys()].map(numberPattern))];
  const seen = patterns.slice(0, 8).join(", ");
  const more = patterns.length > 8 ? ` and ${patterns.length - 8} more` : "";
  return `no layout fits these tensors: ${seen}${more}`;
}

/** How many of the nearest layouts are named, and how many tensors of each. */
const shown = { layouts: 3, tensors: 6 };

/** The layouts that miss least, each at its best prefix. */
function nearest(
  all: readonly Recognised[],
  source: Source,
  single: boolean,
): NonNullable<Diagnostic["notes"]> {
  const ranked = all
    .map((one) => ({ one, missed: misses(one, source) }))
    .map((entry) => ({
      ...entry,
      share: entry.missed.length / Math.max(1, entry.one.layout.recognise.tensors.length),
    }))
    .filter(({ share }) => single || share < 1)
    .sort((a, b) => a.share - b.share);
  const best = new Map<string, (typeof ranked)[number]>();
  for (const entry of ranked) if (!best.has(entry.one.layout.name)) best.set(entry.one.layout.name, entry);
  return [...best.values()].slice(0, shown.layouts).map(({ one, missed }, i) => {
    const more = missed.length > shown.tensors ? ` and ${missed.length - shown.tensors} more` : "";
    const what = `the checkpoint ${missed.slice(0, shown.tensors).join(", ")}${more}`;
    return { message: `${i === 0 ? "nearest is" : "then"} ${one.layout.name}: ${what}` };
  });
}
