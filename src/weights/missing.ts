// Parameters that the checkpoint does not have: one message per pattern of names, with the names that come
// nearest and the line of `weights.map` that would join them.

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
  const near = nearestNames(name, stored.keys());
  const notes: Note[] = near.map((other) => ({
    message: `the file has \`${other}\` ${shapeOf(stored.get(other)!)}`,
  }));
  if (recipe.pointer !== undefined)
    notes.unshift({ message: "the map sends it there", pointer: recipe.pointer });
  const candidate = prefix !== undefined ? prefix + name : near[0];
  const entry =
    candidate === undefined
      ? undefined
      : `"${numberPattern(declaration.name)}": "${numberPattern(candidate)}"`;
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
