// dlmc/runtime runs in a page: nothing it imports may need Node or a package.

import { readFileSync } from "node:fs";
import { expect, it } from "vitest";

const source = new URL("../../src/", import.meta.url);

/** Every module reachable from `entry` by static imports, with the specifiers it imports. */
function reachable(entry: string): Map<string, readonly string[]> {
  const found = new Map<string, readonly string[]>();
  const open = [new URL(entry, source).pathname];
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    if (found.has(path)) continue;
    const text = readFileSync(path, "utf8");
    const specifiers = [...text.matchAll(/^(?:import|export)\s(?!type\b)[^;]*?from\s+"([^"]+)"/gm)].map(
      (match) => match[1]!,
    );
    found.set(path, specifiers);
    for (const specifier of specifiers)
      if (specifier.startsWith("."))
        open.push(new URL(specifier.replace(/\.js$/, ".ts"), `file://${path}`).pathname);
  }
  return found;
}

it.each(["runtime/index.ts", "diffusion/index.ts"])("%s imports only files of its own", (entry) => {
  const modules = reachable(entry);
  expect(modules.size).toBeGreaterThan(10);
  for (const [path, specifiers] of modules) {
    for (const specifier of specifiers) expect(specifier, path).toMatch(/^\.\.?\//);
    expect(readFileSync(path, "utf8"), path).not.toMatch(/\bBuffer\b|\brequire\(/);
  }
});
