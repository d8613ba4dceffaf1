// A case as the checkpoint that upstream would publish, described by its import layout.

import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { importCheckpoint } from "../../api/import.js";
import { type Facts, type GoldenCase, objectOf } from "./golden-case.js";

/** Imports the case's weights, its args and `more` as config.json; gives the description's file, in `work`. */
export function importedCase(
  golden: GoldenCase,
  work: string,
  layout: string,
  length: number,
  more: Facts = {},
): string {
  const checkpoint = join(work, "checkpoint");
  mkdirSync(checkpoint, { recursive: true });
  copyFileSync(join(golden.directory, "weights.safetensors"), join(checkpoint, "model.safetensors"));
  writeFileSync(join(checkpoint, "config.json"), JSON.stringify({ ...objectOf(golden.facts.args), ...more }));
  const out = join(work, "model.json");
  importCheckpoint({ checkpoint, out, layout, length });
  return out;
}
