// The descriptions that the tests of later stages start from: each is valid and says what its upstream does.

import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { readDescription } from "../../src/description/read.js";
import { Report } from "../../src/support/diagnostic.js";
import { formatDiagnostics } from "../../src/support/frame.js";

const folder = new URL("models/", import.meta.url);

describe("example descriptions", () => {
  for (const file of readdirSync(folder))
    it(file, () => {
      const text = readFileSync(new URL(file, folder), "utf8");
      const report = new Report();
      const description = readDescription(text, file, report);
      expect(formatDiagnostics(report.diagnostics, { source: () => text })).toBe("");
      expect(description).toBeDefined();
    });
});
