// The files of a bundle that are the same for every model of its kind of state: the module that loads and runs it, its
// types, the page.

import { readFileSync } from "node:fs";
import { bug } from "../../support/diagnostic.js";

/** Which sampling loop a bundle's index.js has. */
export type LoopKind =
  | "continuous"
  | "simplex"
  | "tokens"
  | "tokens-cached"
  | "scores"
  | "scores-cached"
  | "revised"
  | "revised-cached"
  | "first-hitting"
  | "first-hitting-cached"
  | "confidence"
  | "confidence-cached"
  | "encoder"
  | "tokens-encoder"
  | "scores-encoder"
  | "revised-encoder"
  | "first-hitting-encoder"
  | "confidence-encoder"
  | "simplex-encoder";

/** Name in the bundle -> where the package has it. */
function sources(loop: LoopKind): Readonly<Record<string, string>> {
  return {
    // The runtime as one file, linked by scripts/link-runtime.js when the package is built.
    "index.js": `../../../dist/runtime/standalone${loop === "continuous" ? "" : `-${loop}`}.js`,
    "plan.js": "../../../dist/runtime/standalone-plan.js",
    "index.d.ts": "./index.d.ts",
    "demo.html": "./demo.html",
  };
}

/** The texts by name. */
export function pageFiles(loop: LoopKind): readonly (readonly [name: string, text: string])[] {
  return Object.entries(sources(loop)).map(([name, path]) => {
    try {
      return [name, readFileSync(new URL(path, import.meta.url), "utf8")] as const;
    } catch (error) {
      return bug(`the package lacks ${path}: ${(error as Error).message}; run npm run build`);
    }
  });
}
