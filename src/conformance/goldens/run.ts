// A directory of cases against every back end: every case is described, compiled, run and compared.

import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fail } from "../../support/diagnostic.js";
import { type Comparison, compare } from "./compare.js";
import { type GoldenCase, readCase, resultNames } from "./golden-case.js";
import type { CaseReport } from "./report.js";
import { systems } from "./systems/index.js";
import type { GoldenSystem } from "./systems/system.js";

/** Directories with a case at or below `directory`, by name. Throws `goldens/directory` for none. */
export function findCases(directory: string): readonly string[] {
  const help = "name a directory of golden cases, each with case.json and tensors.safetensors";
  let found: readonly string[];
  try {
    found = casesBelow(directory);
  } catch (error) {
    return fail("goldens/directory", `cannot read the directory ${directory}: ${(error as Error).message}`, {
      help,
    });
  }
  if (found.length > 0) return found;
  return fail("goldens/directory", `${directory} holds no case: no directory in it has a case.json`, {
    help,
  });
}

function casesBelow(directory: string): readonly string[] {
  if (existsSync(join(directory, "case.json"))) return [directory];
  return readdirSync(directory)
    .sort()
    .map((name) => join(directory, name))
    .filter((path) => statSync(path).isDirectory())
    .flatMap(casesBelow);
}

/** Runs one case. Problems of the case become part of its report. */
export async function runCase(directory: string): Promise<CaseReport> {
  let golden: GoldenCase | undefined;
  try {
    golden = readCase(directory);
    const system = systems.find(({ covers }) => covers(golden!));
    if (system === undefined) return notCovered(golden);
    return await covered(golden, system);
  } catch (error) {
    // Whatever stops one case must not hide the others.
    const problem = error instanceof Error ? error.message : String(error);
    return { ...blank(golden?.id ?? directory, golden?.system ?? "unreadable"), status: "error", problem };
  } finally {
    golden?.tensors.close();
    golden?.weights?.close();
  }
}

async function covered(golden: GoldenCase, system: GoldenSystem): Promise<CaseReport> {
  const work = mkdtempSync(join(tmpdir(), "dlmc-golden-"));
  try {
    const computed = await system.compute(golden, work);
    const comparisons = computed.flatMap((one) => compare(golden, one));
    const done = new Set(computed.map(({ name }) => name));
    const pass = comparisons.length > 0 && comparisons.every((one: Comparison) => one.pass);
    return {
      ...blank(golden.id, system.name),
      status: pass ? "pass" : "fail",
      comparisons,
      ...(comparisons.length === 0 && { problem: "nothing of the case could be compared" }),
      notCompared: resultNames(golden).filter((name) => !done.has(name)),
      unknownFields: [...golden.unknownFields],
    };
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function notCovered(golden: GoldenCase): CaseReport {
  return { ...blank(golden.id, golden.system), status: "not covered" };
}

function blank(id: string, system: string): Omit<CaseReport, "status"> {
  return { id, system, comparisons: [], notCompared: [], unknownFields: [] };
}
