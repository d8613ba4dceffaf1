// Tensors that nothing uses. They are errors, since a forgotten tensor (a second filter, a bias, a skip term)
// gives a model that runs and is wrong. Exempt are: what `weights.ignore` names; integer and flag tensors
// (position ids, step counters), which are never trained; byte-identical copies of a tensor that is used
// (tied embeddings, a frequency that a state dict lists once per layer).

import type { Report } from "../support/diagnostic.js";
import { joinPointer } from "../support/pointer.js";
import { isFloating } from "./dtypes.js";
import type { StoredTensor } from "./header-entry.js";
import type { NameMap } from "./name-map.js";
import { numberPattern } from "./nearest.js";
import type { Checkpoint } from "./safetensors.js";
import { isConstant, sameBytes } from "./scan.js";

interface Context {
  readonly stored: ReadonlyMap<string, StoredTensor>;
  readonly used: ReadonlyMap<string, StoredTensor>;
  readonly names: NameMap;
  readonly checkpoint: Checkpoint;
  readonly report: Report;
  /** Whether parameters were not found; their tensors are then probably among the unused ones. */
  readonly missing: boolean;
}

/** Reports `weights/unused`, once per pattern of names (`blocks.{i}.norm.bias`). */
export function reportUnused({ stored, used, names, checkpoint, report, missing }: Context): void {
  const groups = new Map<string, StoredTensor[]>();
  for (const tensor of stored.values()) {
    if (used.has(tensor.name) || names.ignores(tensor.name) || !isFloating(tensor.dtype)) continue;
    if (isCopy(tensor, used, checkpoint)) continue;
    const pattern = numberPattern(tensor.name);
    groups.set(pattern, [...(groups.get(pattern) ?? []), tensor]);
  }
  for (const [pattern, tensors] of groups) {
    const first = tensors[0]!;
    const others = tensors.length > 1 ? ` (and ${tensors.length - 1} more of \`${pattern}\`)` : "";
    const name = tensors.length > 1 ? pattern : first.name;
    report.error(
      "weights/unused",
      `tensor \`${first.name}\` ${first.dtype}[${first.shape.join(", ")}] is used by no parameter${others}`,
      {
        file: first.file,
        pointer: joinPointer("", first.name),
        help: missing
          ? "see the missing parameters: this may be one of them under another name"
          : `if the model does not need it, add "${name}" to \`weights.ignore\``,
      },
    );
  }
}

/**
 * A copy of a used tensor. Constant tensors (fresh norms, zero biases) are all alike, so for them the name
 * must agree too, up to numbers.
 */
function isCopy(
  tensor: StoredTensor,
  used: ReadonlyMap<string, StoredTensor>,
  checkpoint: Checkpoint,
): boolean {
  const pattern = numberPattern(tensor.name);
  for (const other of used.values())
    if (sameBytes(checkpoint, tensor, other))
      if (numberPattern(other.name) === pattern || !isConstant(checkpoint, tensor)) return true;
  return false;
}
