// Several weight files as one checkpoint.

import { bug, Report } from "../support/diagnostic.js";
import { joinPointer } from "../support/pointer.js";
import type { Checkpoint } from "./safetensors.js";

/** Joins checkpoints with disjoint tensors. Throws `weights/duplicate` for every name that two of them have. */
export function joinCheckpoints(parts: readonly Checkpoint[]): Checkpoint {
  const owners = new Map<string, Checkpoint>();
  const report = new Report();
  for (const part of parts)
    for (const name of part.names()) {
      const other = owners.get(name);
      if (other === undefined) owners.set(name, part);
      else
        report.error(
          "weights/duplicate",
          `tensor \`${name}\` is in \`${part.file}\` and in \`${other.file}\``,
          {
            file: part.file,
            pointer: joinPointer("", name),
            help: "name only one of the two files",
          },
        );
    }
  report.throwIfErrors();
  const owner = (name: string): Checkpoint =>
    owners.get(name) ?? bug(`tensor ${name} was read without looking for it`);
  return {
    file: parts.map((part) => part.file).join(", "),
    names: () => [...owners.keys()],
    info: (name) => owners.get(name)?.info(name),
    bytes: (name, from, length) => owner(name).bytes(name, from, length),
    read: (name) => owner(name).read(name),
    close: () => {
      for (const part of parts) part.close();
    },
  };
}
