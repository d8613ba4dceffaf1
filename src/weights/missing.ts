// Parameters that the checkpoint does not have: one message per pattern of names, with the names that come
// nearest and, where a tensor of the same shape is among them, the line of `weights.map` that would join them.

import type { Note, Report } from "../support/diagnostic.js";
import type { StoredTensor } from "./header-entry.js";
import type { Recipe } from "./name-map.js";
import { nearestNames, numberPattern } from "./nearest.js";
import type { ParameterDeclaration } from "./store.js";

export interface Missing {
  readonly declaration: ParameterDeclaration;
  readonly recipe: Recipe;
  /** The checkpoint name looked for. */
  readonly name: string;
}

/** Reports `weights/missing` once per group; a group is the same parameter of several blocks. */
export function reportMissing(
  groups: readonly (readonly Missing[])[],
  stored: ReadonlyMap<string, StoredTensor>,
  file: string,
  report: Report,
): void {
  const prefix = commonPrefix(groups.flat(), stored);
  for (const group of groups) reportGroup(group, prefix, stored, file, report);
}

function reportGroup(
  group: readonly Missing[],
  prefix: string | undefined,
  stored: ReadonlyMap<string, StoredTensor>,
  file: string,
  report: Report,
): void {
  const { declaration, recipe, name } = group[0]!;
  const looked = name === declaration.name ? "no tensor of this name" : `no tensor \`${name}\``;
  const others =
    group.length > 1 ? ` (and ${group.length - 1} more of \`${numberPattern(declaration.name)}\`)` : "";
  const fitting = [...stored.values()].filter(({ shape }) => String(shape) === String(declaration.shape));
  const nearFitting = nearestNames(
    name,
    fitting.map((tensor) => tensor.name),
  );
  // One tensor of that shape, or one in every block, is it whatever its name.
  const alike = new Set(fitting.map((tensor) => numberPattern(tensor.name)));
  const near = [...new Set([...nearFitting, ...nearestNames(name, stored.keys())])].slice(0, 3);
  const notes: Note[] = near.map((other) => ({
    message: `the file has \`${other}\` ${shapeOf(stored.get(other)!)}`,
  }));
  if (recipe.pointer !== undefined)
    notes.unshift({ message: "the map sends it there", pointer: recipe.pointer });
  const candidate =
    prefix !== undefined
      ? prefix + name
      : (nearFitting[0] ?? (alike.size === 1 ? fitting[0]!.name : undefined));
  const entry = candidate === undefined ? undefined : mapEntry(group, candidate, stored);
  report.error(
    "weights/missing",
    `parameter \`${declaration.name}\` ${shapeText(declaration.shape)} is not in the weights: \`${file}\` has ${looked}${others}`,
    {
      pointer: declaration.pointer,
      notes,
      help:
        entry === undefined
          ? "say in `weights.map` what the tensor is called in the file"
          : `if that is the tensor, add to \`weights.map\`: ${entry}`,
    },
  );
}

/** The entry for a whole group, where the same pattern leads to a tensor for each of it; else for its first. */
function mapEntry(
  group: readonly Missing[],
  candidate: string,
  stored: ReadonlyMap<string, StoredTensor>,
): string {
  const first = group[0]!.declaration.name;
  const key = numberPattern(first);
  const numbers = numbersOf(first);
  const letters = [...key.matchAll(/\{\w\}/g)].map(([letter]) => letter);
  // The candidate's numbers that are the parameter's, in order, follow it; any other stays as it is.
  let next = 0;
  const value = candidate
    .split(".")
    .map((part) => (/^\d+$/.test(part) && part === numbers[next] ? letters[next++]! : part))
    .join(".");
  const follows = group.every(({ declaration }) => {
    const own = numbersOf(declaration.name);
    return stored.has(letters.reduce((text, letter, k) => text.replaceAll(letter, own[k]!), value));
  });
  return next === letters.length && follows ? `"${key}": "${value}"` : `"${first}": "${candidate}"`;
}

const numbersOf = (name: string): readonly string[] => name.split(".").filter((part) => /^\d+$/.test(part));

/** A prefix such as `model.` that every name looked for lacks. */
function commonPrefix(
  missing: readonly Missing[],
  stored: ReadonlyMap<string, StoredTensor>,
): string | undefined {
  const first = missing[0];
  if (first === undefined) return undefined;
  for (const name of stored.keys()) {
    if (!name.endsWith(`.${first.name}`)) continue;
    const prefix = name.slice(0, -first.name.length);
    if (missing.every((other) => stored.has(prefix + other.name))) return prefix;
  }
  return undefined;
}

export function shapeText(shape: readonly number[]): string {
  return `[${shape.join(", ")}]`;
}

/** Element type and shape, e.g. `BF16[768, 768]`. */
export function shapeOf(stored: StoredTensor): string {
  return `${stored.dtype}${shapeText(stored.shape)}`;
}
