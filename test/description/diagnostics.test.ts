// Damaged descriptions and what is said about them. Each file of diagnostics/ is a description, a line of
// dashes, and the whole output a user sees. DLMC_BLESS=1 rewrites the second half; read it before
// committing it: the text is the specification.

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { readDescription } from "../../src/description/read.js";
import { Report } from "../../src/support/diagnostic.js";
import { formatDiagnostics } from "../../src/support/frame.js";

const folder = new URL("diagnostics/", import.meta.url);
const separator = "\n-----\n";

describe("diagnostics of descriptions", () => {
  const files = readdirSync(folder);
  it("covers many kinds of damage", () => expect(files.length).toBeGreaterThanOrEqual(25));
  it("covers every code of this folder", () => {
    const sources = ["../../src/description/", "../../src/support/json.ts"].flatMap((place) => {
      const url = new URL(place, import.meta.url);
      if (place.endsWith(".ts")) return [readFileSync(url, "utf8")];
      return readdirSync(url, { recursive: true, encoding: "utf8" })
        .filter((name) => name.endsWith(".ts"))
        .map((name) => readFileSync(new URL(name, url), "utf8"));
    });
    const codes = sources.flatMap((text) =>
      [...text.matchAll(/"((?:model|json)\/[a-z-]+)"/g)].map((m) => m[1]!),
    );
    const shown = files.map((file) => readFileSync(new URL(file, folder), "utf8")).join("\n");
    // A keyword that this schema does not use has no example.
    const without = [...new Set(codes)].filter(
      (code) => !shown.includes(`[${code}]`) && code !== "model/invalid",
    );
    expect(without).toEqual([]);
  });
  for (const file of files)
    it(file.replace(".txt", ""), () => {
      const place = new URL(file, folder);
      const [source = "", expected = ""] = readFileSync(place, "utf8").split(separator);
      const report = new Report();
      const description = readDescription(source, "model.json", report);
      const found = `${formatDiagnostics(report.diagnostics, { source: () => source })}\n`;
      if (process.env.DLMC_BLESS) writeFileSync(place, source + separator + found);
      else expect(found).toBe(expected);
      expect(report.diagnostics.length).toBeGreaterThan(0);
      expect(description === undefined).toBe(report.hasErrors);
    });
});
