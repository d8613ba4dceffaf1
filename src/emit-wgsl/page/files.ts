// The files of a bundle that are the same for every model of its kind of state: the module that loads and runs it, its
// types, the page.

import { readFileSync } from "node:fs";
import { bug } from "../../support/diagnostic.js";

/** Name in the bundle -> where the package has it. */
function sources(state: "continuous" | "tokens"): Readonly<Record<string, string>> {
  return {
    // The runtime as one file, linked by scripts/link-runtime.js when the package is built.
    "index.js": `../../../dist/runtime/standalone${state === "tokens" ? "-tokens" : ""}.js`,
    "index.d.ts": "./index.d.ts",
    "demo.html": "./demo.html",
  };
}

/** The texts by name. */
export function pageFiles(
  state: "continuous" | "tokens",
): readonly (readonly [name: string, text: string])[] {
  return Object.entries(sources(state)).map(([name, path]) => {
    try {
      return [name, readFileSync(new URL(path, import.meta.url), "utf8")] as const;
    } catch (error) {
      return bug(`the package lacks ${path}: ${(error as Error).message}; run npm run build`);
    }
  });
}
