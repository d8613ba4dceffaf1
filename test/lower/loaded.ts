// A description as an object, loaded with synthetic weights: nothing of it is left on the disk.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type LoadedModel, loadModel } from "../../src/api/load.js";

/** The model of a description; its `version` is filled in. */
export function loaded(description: object, synthetic: number): LoadedModel {
  const directory = mkdtempSync(join(tmpdir(), "dlmc-lower-"));
  const model = join(directory, "model.json");
  try {
    writeFileSync(model, JSON.stringify({ version: 1, ...description }));
    return loadModel({ model, synthetic });
  } finally {
    rmSync(directory, { recursive: true });
  }
}
