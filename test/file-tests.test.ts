// Every `.ir` file under test/ is a test. Files under ops/ show what an op computes and refuses; files whose
// header names a pass show a module before and after it. `npm run bless` rewrites the modules of pass files
// (never the results of ops: those are computed by hand).
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { checkOpCase } from "./file-tests/op-case.js";
import { checkPassCase, headerPasses } from "./file-tests/pass-case.js";
import { hasModule, irFiles, readText, type Section, sections } from "./file-tests/sections.js";

const root = fileURLToPath(new URL(".", import.meta.url));
const bless = process.env.DLMC_BLESS === "1";

for (const file of irFiles(root)) {
  const text = readText(root, file);
  const parts = sections(text);
  describe(file, () => {
    if (headerPasses(text) === undefined) opFile(parts);
    else passFile(file, parts);
  });
}

function opFile(parts: readonly Section[]): void {
  test.each(
    parts.filter(hasModule).map((part) => [`${part.title} (line ${part.firstLine})`, part] as const),
  )("%s", (_, part) => {
    checkOpCase(part);
  });
}

/** Sections come in pairs: the module before under its own title, then `after`. */
function passFile(file: string, parts: readonly Section[]): void {
  const [first, ...rest] = parts;
  // A header above the first title holds only comments.
  const headed = first !== undefined && !hasModule(first);
  const cases = headed ? rest : parts;
  const common = first === undefined ? undefined : headerPasses(first.text);
  const blessed = new Map<Section, string>();
  for (let i = 0; i < cases.length; i += 2) {
    const before = cases[i]!;
    const after = cases[i + 1];
    test(`${before.title || "before"} (line ${before.firstLine})`, () => {
      expect(after?.title, "every module has an `; ---- after` section").toBe("after");
      const passes = headerPasses(before.text) ?? common!;
      const texts = checkPassCase(before, after!, passes, bless);
      blessed.set(before, withModule(before.text, texts.before));
      blessed.set(after!, withModule(after!.text, texts.after));
    });
  }
  if (bless)
    test("blessed", () => {
      const whole = parts
        .map((part) => {
          const title = part.title === "" ? "" : `; ---- ${part.title}\n`;
          return `${title}${(blessed.get(part) ?? part.text).trim()}\n`;
        })
        .join("\n");
      writeFileSync(join(root, file), whole);
    });
}

/** The section's comment lines, then the module. */
function withModule(section: string, module: string): string {
  const comments = section.split("\n").filter((line) => line.startsWith(";"));
  return comments.length === 0 ? module : `${comments.join("\n")}\n\n${module}`;
}
