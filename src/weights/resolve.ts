// Brings a model's parameters and a checkpoint together: every parameter is found, has the right shape and
// usable values, and every tensor of the checkpoint is used or knowingly left out. All problems in one run.

import { tensor } from "../ir/tensor.js";
import { type Diagnostic, DlmcError, type Note, type Report } from "../support/diagnostic.js";
import { joinPointer } from "../support/pointer.js";
import { isFloating } from "./dtypes.js";
import type { StoredTensor } from "./header-entry.js";
import { type Missing, reportMissing, shapeOf, shapeText } from "./missing.js";
import { type NameMap, nameMap, type Recipe, type WeightMap } from "./name-map.js";
import { numberPattern } from "./nearest.js";
import type { Checkpoint } from "./safetensors.js";
import { findBadValue } from "./scan.js";
import { type ParameterDeclaration, type ParameterInfo, unknown, type WeightStore } from "./store.js";
import { applyTransforms, planTransforms } from "./transforms.js";
import { reportUnused } from "./unused.js";

export interface ResolveOptions {
  /** Read all used data once to find NaN and infinities; true by default. */
  readonly values?: boolean;
  /** Report tensors that no parameter uses; true by default. Without, a few tensors of a whole checkpoint may be asked for. */
  readonly unused?: boolean;
}

interface Found {
  readonly declaration: ParameterDeclaration;
  readonly recipe: Recipe;
  readonly sources: readonly StoredTensor[];
}

/**
 * Checks all declared parameters against a checkpoint and gives the store that reads them. `report.file` is
 * the description. Reports `weights/missing`, `weights/shape`, `weights/dtype`, `weights/transform`,
 * `weights/nan`, `weights/range`, `weights/unused` and `weights/map-...`; throws nothing. After errors the
 * store answers only for parameters without one.
 */
export function resolveParameters(
  declared: readonly ParameterDeclaration[],
  checkpoint: Checkpoint,
  weights: WeightMap,
  report: Report,
  options: ResolveOptions = {},
): WeightStore {
  const names = nameMap(
    weights,
    declared.map((parameter) => parameter.name),
    report,
  );
  const stored = readHeaders(checkpoint, report);
  const found = findSources(declared, names, stored, checkpoint, report);
  const alike = alikeShapes(found);
  const usable = found.filter((entry) => checkDtype(entry, report) && checkShape(entry, report, alike));
  const used = new Map(found.flatMap((entry) => entry.sources.map((source) => [source.name, source])));
  if (options.values ?? true)
    for (const source of used.values()) checkValues(checkpoint, source, found, report);
  // A name that was not found is often the unused one: saying both halves twice would bury the cause.
  if (options.unused ?? true)
    reportUnused({ stored, used, names, checkpoint, report, missing: found.length < declared.length });
  return mappedStore(usable, checkpoint);
}

/** Headers of all shards; the problems of a damaged shard are reported once. */
function readHeaders(checkpoint: Checkpoint, report: Report): Map<string, StoredTensor> {
  const stored = new Map<string, StoredTensor>();
  const seen = new Set<DlmcError>();
  for (const name of checkpoint.names()) {
    try {
      const info = checkpoint.info(name);
      if (info !== undefined) stored.set(name, info);
    } catch (error) {
      if (!(error instanceof DlmcError)) throw error;
      if (!seen.has(error)) for (const diagnostic of error.diagnostics) report.add(diagnostic);
      seen.add(error);
    }
  }
  return stored;
}

function findSources(
  declared: readonly ParameterDeclaration[],
  names: NameMap,
  stored: ReadonlyMap<string, StoredTensor>,
  checkpoint: Checkpoint,
  report: Report,
): Found[] {
  const found: Found[] = [];
  const missing = new Map<string, Missing[]>();
  // What a broken shard holds is not missing: the shard's own problem is reported.
  const listed = new Set(checkpoint.names());
  for (const declaration of declared) {
    const recipe = names.recipe(declaration.name);
    const sources: StoredTensor[] = [];
    for (const name of recipe.from) {
      const source = stored.get(name);
      if (source !== undefined) sources.push(source);
      else if (!listed.has(name)) {
        const group = `${numberPattern(declaration.name)} ${numberPattern(name)}`;
        missing.set(group, [...(missing.get(group) ?? []), { declaration, recipe, name }]);
      }
    }
    if (sources.length === recipe.from.length) found.push({ declaration, recipe, sources });
  }
  reportMissing([...missing.values()], stored, checkpoint.file, report);
  return found;
}

function checkDtype({ declaration, sources, recipe }: Found, report: Report): boolean {
  const odd = sources.find((source) => !isFloating(source.dtype));
  if (odd === undefined) return true;
  report.error(
    "weights/dtype",
    `parameter \`${declaration.name}\` is real, but tensor \`${odd.name}\` holds ${odd.dtype}`,
    {
      file: odd.file,
      pointer: joinPointer("", odd.name),
      notes: demandedBy(declaration, recipe, report),
      help: "quantised weights must be multiplied with their scales first; or the map names another tensor than it should",
    },
  );
  return false;
}

/** Parameters of one name pattern whose shapes are off in the same way: one wrong width is one problem. */
function alikeShapes(found: readonly Found[]): ReadonlyMap<string, readonly Found[]> {
  const groups = new Map<string, Found[]>();
  for (const entry of found) {
    const key = shapeGroup(entry);
    groups.set(key, [...(groups.get(key) ?? []), entry]);
  }
  return groups;
}

function shapeGroup({ declaration, sources, recipe }: Found): string {
  const stored = sources.map((source) => shapeText(source.shape)).join();
  return `${numberPattern(declaration.name)} ${numberPattern(recipe.from.join())} ${shapeText(declaration.shape)} ${stored}`;
}

function checkShape(entry: Found, report: Report, alike: ReadonlyMap<string, readonly Found[]>): boolean {
  const { declaration, sources, recipe } = entry;
  const planned = planTransforms(
    sources.map((source) => source.shape),
    recipe.transforms,
  );
  if ("problem" in planned) {
    const pointer = recipe.pointer ?? "/weights/map";
    report.error("weights/transform", `parameter \`${declaration.name}\`: ${planned.problem}`, {
      pointer: recipe.transforms.length > 0 ? `${pointer}/transforms/${planned.index}` : pointer,
      notes: sources.map((source) => ({
        message: `\`${source.name}\` is ${shapeOf(source)}`,
        file: source.file,
        pointer: joinPointer("", source.name),
      })),
      help: `the result must have shape ${shapeText(declaration.shape)}`,
    });
    return false;
  }
  if (String(planned.shape) === String(declaration.shape)) return true;
  const group = alike.get(shapeGroup(entry))!;
  // The first of a group speaks for all of it.
  if (group[0] !== entry) return false;
  const more =
    group.length > 1 ? ` (and ${group.length - 1} more of \`${numberPattern(declaration.name)}\`)` : "";
  const source = sources[0]!;
  const how = recipe.transforms.length > 0 ? ` after the map's transforms (stored: ${shapeOf(source)})` : "";
  report.error(
    "weights/shape",
    `parameter \`${declaration.name}\` must have shape ${shapeText(declaration.shape)}, tensor \`${source.name}\` has ${shapeText(planned.shape)}${how}${more}`,
    {
      file: source.file,
      pointer: joinPointer("", source.name),
      notes: demandedBy(declaration, recipe, report),
      help: shapeHelp(declaration.shape, planned.shape),
    },
  );
  return false;
}

/** The transform that would make the shapes agree, where one would. */
function shapeHelp(expected: readonly number[], found: readonly number[]): string {
  const ones = (shape: readonly number[]) => String(shape.filter((extent) => extent !== 1));
  if (expected.length === 2 && String(expected.toReversed()) === String(found))
    return 'add {"kind": "transpose"} to the transforms of its entry in `weights.map`';
  if (ones(expected) === ones(found))
    return `add {"kind": "reshape", "shape": [${expected.join(", ")}]} to the transforms of its entry in \`weights.map\``;
  return "correct the size in the description, or name the tensor that belongs here in `weights.map`";
}

function demandedBy(declaration: ParameterDeclaration, recipe: Recipe, report: Report): Note[] {
  const description = report.file === undefined ? {} : { file: report.file };
  const note = { message: "the description demands it here", pointer: declaration.pointer, ...description };
  if (recipe.pointer === undefined) return [note];
  return [note, { message: "the map names the tensor here", pointer: recipe.pointer, ...description }];
}

function checkValues(
  checkpoint: Checkpoint,
  source: StoredTensor,
  found: readonly Found[],
  report: Report,
): void {
  const bad = findBadValue(checkpoint, source);
  if (bad === undefined) return;
  const user = found.find((entry) => entry.sources.includes(source))!;
  const finite = Number.isFinite(bad.value);
  const more = bad.total > 1 ? ` (the first of ${bad.total})` : "";
  const problem: Omit<Diagnostic, "severity" | "code" | "message"> = {
    file: source.file,
    pointer: joinPointer("", source.name),
    notes: demandedBy(user.declaration, user.recipe, report),
    help: finite
      ? "a weight of this size is a mistake of training or conversion"
      : "training diverged or a conversion overflowed (F16 ends at 65504); use an earlier checkpoint",
  };
  const where = `tensor \`${source.name}\`: element [${unflatten(bad.index, source.shape).join(", ")}]`;
  if (finite) report.error("weights/range", `${where} is ${bad.value}, beyond float32${more}`, problem);
  else report.error("weights/nan", `${where} is ${bad.value}; weights must be finite${more}`, problem);
}

function unflatten(index: number, shape: readonly number[]): number[] {
  let rest = index;
  return shape
    .toReversed()
    .map((extent) => {
      const position = rest % extent;
      rest = Math.floor(rest / extent);
      return position;
    })
    .toReversed();
}

function mappedStore(found: readonly Found[], checkpoint: Checkpoint): WeightStore {
  const byName = new Map(found.map((entry) => [entry.declaration.name, entry]));
  return {
    names: () => byName.keys(),
    info: (name): ParameterInfo | undefined => {
      const entry = byName.get(name);
      return entry === undefined
        ? undefined
        : { dtype: entry.sources[0]!.dtype, shape: entry.declaration.shape };
    },
    read: (name) => {
      const { sources, recipe } = byName.get(name) ?? unknown(name);
      const values = sources.map((source) => ({ shape: source.shape, data: checkpoint.read(source.name) }));
      const result = applyTransforms(values, recipe.transforms);
      return tensor("f32", result.shape, result.data);
    },
  };
}
