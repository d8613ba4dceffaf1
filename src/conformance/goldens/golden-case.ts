// One case of upstream data: what case.json says and the tensors beside it. Upstream's own names are kept.
// Facts are looked up by name wherever they stand (args, architecture), since cases of one system differ in that.

import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fail } from "../../support/diagnostic.js";
import { openCheckpoint } from "../../weights/open.js";
import type { Checkpoint } from "../../weights/safetensors.js";

/** A JSON object. */
export type Facts = Readonly<Record<string, unknown>>;

/** A tensor of a case, in float64. */
export interface GoldenTensor {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

/** The difference between upstream's float32 run and its float64 rerun. */
interface Gap {
  readonly max_abs: number;
  readonly max_mag?: number;
}

/** A case as read; tensors are read when they are asked for. */
export interface GoldenCase {
  readonly id: string;
  readonly system: string;
  readonly directory: string;
  readonly facts: Facts;
  /** Every scalar, list and object of args and architecture by its own name; args win. */
  readonly options: ReadonlyMap<string, unknown>;
  readonly tensors: Checkpoint;
  /** Absent for cases without weights. */
  readonly weights: Checkpoint | undefined;
  /** Path of the weights for a description. */
  readonly weightsFile: string | undefined;
  /** Places of case.json that a system looked at and did not understand; systems add to it. */
  readonly unknownFields: Set<string>;
}

const format = "dlmc-golden/1";

/**
 * Reads the case in a directory. Throws `goldens/case` for a case.json that is not one, and what opening its
 * safetensors files throws.
 */
export function readCase(directory: string): GoldenCase {
  const file = join(directory, "case.json");
  const facts = parse(file);
  if (facts.schema !== format)
    fail("goldens/case", `the case has schema ${JSON.stringify(facts.schema)}, not "${format}"`, { file });
  const weightsFile = resolve(directory, "weights.safetensors");
  const weights = existsSync(weightsFile) ? openCheckpoint(weightsFile) : undefined;
  return {
    id: String(facts.id ?? directory),
    system: String(facts.system ?? "unnamed"),
    directory,
    facts,
    options: new Map([...flatten(objectOf(facts.architecture)), ...flatten(objectOf(facts.args))]),
    tensors: openCheckpoint(join(directory, "tensors.safetensors")),
    weights,
    weightsFile: weights === undefined ? undefined : weightsFile,
    unknownFields: new Set(),
  };
}

function parse(file: string): Facts {
  try {
    // Python writes numbers that JSON does not have, such as the gap of a tensor that is not finite in float32.
    const text = readFileSync(file, "utf8").replace(/(:\s*)-?(NaN|Infinity)\b/g, "$1null");
    return objectOf(JSON.parse(text));
  } catch (error) {
    return fail("goldens/case", `cannot read the case: ${(error as Error).message}`, { file });
  }
}

/** The value if it is a JSON object, else an empty one. */
export function objectOf(value: unknown): Facts {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Facts) : {};
}

/** Entries of an object by name, or of a list whose members have a `name`. */
export function namedEntries(value: unknown): readonly (readonly [name: string, facts: unknown])[] {
  if (!Array.isArray(value)) return Object.entries(objectOf(value));
  return value.map(
    (one, i) => [typeof one === "string" ? one : String(objectOf(one).name ?? i), one] as const,
  );
}

/** The object, with what it says beyond `known` noted as not understood. */
export function checkedFields(
  golden: GoldenCase,
  place: string,
  value: unknown,
  known: readonly string[],
): Facts {
  const facts = objectOf(value);
  for (const field of Object.keys(facts))
    if (!known.includes(field)) golden.unknownFields.add(`${place}.${field}`);
  return facts;
}

/** Names of nested objects lose their path: an outer entry wins over an inner one, an earlier over a later. */
function flatten(facts: Facts): Map<string, unknown> {
  const found = new Map<string, unknown>();
  for (let level = [facts]; level.length > 0; ) {
    for (const object of level)
      for (const [key, value] of Object.entries(object)) if (!found.has(key)) found.set(key, value);
    level = level.flatMap((object) => Object.values(object).map(objectOf));
    level = level.filter((object) => Object.keys(object).length > 0);
  }
  return found;
}

/** The first of the named options that is a number. */
export function numberOption({ options }: GoldenCase, ...names: readonly string[]): number | undefined {
  return names.map((name) => options.get(name)).find((value) => typeof value === "number");
}

/** The first of the named options that is true or false. */
export function flagOption({ options }: GoldenCase, ...names: readonly string[]): boolean | undefined {
  return names.map((name) => options.get(name)).find((value) => typeof value === "boolean");
}

/** Stored names of a tensor in the order of preference: the float64 rerun, a tensor of one precision. */
function storedName({ tensors }: GoldenCase, name: string): string | undefined {
  return [`${name}.f64`, name].find((stored) => tensors.info(stored) !== undefined);
}

/** Whether the case has the tensor, under its name or as a float64 rerun. */
export function hasTensor(golden: GoldenCase, name: string): boolean {
  return storedName(golden, name) !== undefined;
}

/** The tensor `<name>.f64`, else `<name>`. Throws `goldens/tensor` when the case has neither. */
export function tensorOf(golden: GoldenCase, name: string): GoldenTensor {
  const stored = storedName(golden, name);
  if (stored === undefined)
    return fail("goldens/tensor", `the case has no tensor ${name}`, { file: golden.tensors.file });
  return { shape: golden.tensors.info(stored)!.shape, data: golden.tensors.read(stored) };
}

/** The first tensor that exists. */
export function firstTensor(golden: GoldenCase, ...names: readonly string[]): GoldenTensor | undefined {
  const name = names.find((candidate) => hasTensor(golden, candidate));
  return name === undefined ? undefined : tensorOf(golden, name);
}

/** The shape of a weight; undefined when the case lacks it. */
export function weightShape(golden: GoldenCase, name: string): readonly number[] | undefined {
  return golden.weights?.info(name)?.shape;
}

/** A weight in float64. Throws `goldens/tensor` when the case lacks it. */
export function weightOf(golden: GoldenCase, name: string): GoldenTensor {
  const shape = weightShape(golden, name);
  if (shape === undefined)
    return fail("goldens/tensor", `the case has no weight ${name}`, { file: golden.directory });
  return { shape, data: golden.weights!.read(name) };
}

/** How many of `<prefix>0<suffix>`, `<prefix>1<suffix>`, .. there are among the weights. */
export function countWeights(golden: GoldenCase, prefix: string, suffix: string): number {
  let n = 0;
  while (weightShape(golden, `${prefix}${n}${suffix}`) !== undefined) n++;
  return n;
}

/** The stated float32 gap of a tensor. */
export function gapOf({ facts }: GoldenCase, name: string): Gap | undefined {
  const gap = objectOf(objectOf(objectOf(facts.precision).fp32_vs_fp64)[name]);
  return typeof gap.max_abs === "number" ? (gap as unknown as Gap) : undefined;
}

/** Base names of everything upstream computed: tensors with a float64 rerun, and tables of one precision. */
export function resultNames({ tensors }: GoldenCase): readonly string[] {
  const names = tensors
    .names()
    .filter((name) => !/^(in|draw)\.|^(table_index|time\.t|sched\.t)$/.test(name))
    .map((name) => name.replace(/\.(f32|f64)$/, ""));
  return [...new Set(names)].sort();
}
