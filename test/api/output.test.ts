// Output is replaced as a whole or not at all, whatever stops the writer.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { replaceDirectory } from "../../src/api/output.js";
import { DlmcError } from "../../src/support/diagnostic.js";

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "dlmc-output-"));
  replaceDirectory(join(directory, "out"), (to) => writeFileSync(join(to, "file"), "old"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const content = (): string => readFileSync(join(directory, "out", "file"), "utf8");

test("a writer that succeeds replaces everything", () => {
  replaceDirectory(join(directory, "out"), (to) => writeFileSync(join(to, "other"), "new"));
  expect(readdirSync(join(directory, "out"))).toEqual(["other"]);
  expect(readdirSync(directory)).toEqual(["out"]);
});

test("the directory may be read by whoever may read its files", () => {
  const mode = (path: string): number => statSync(path).mode;
  expect(mode(join(directory, "out")) & 0o055).toBe(0o055 & ~process.umask());
});

test("a writer that fails leaves the old output and nothing beside it", () => {
  const failing = () =>
    replaceDirectory(join(directory, "out"), (to) => {
      writeFileSync(join(to, "file"), "half");
      throw new Error("no");
    });
  expect(failing).toThrow("no");
  expect(content()).toBe("old");
  expect(readdirSync(directory)).toEqual(["out"]);
});

test("what the file system refuses is one diagnostic", () => {
  const failing = () =>
    replaceDirectory(join(directory, "out"), (to) => writeFileSync(join(to, "no", "such"), ""));
  expect(failing).toThrow(DlmcError);
  expect(content()).toBe("old");
});

test("a killed writer leaves the old output, and the next run removes what it left", () => {
  const script = `
    import { writeFileSync } from "node:fs";
    import { replaceDirectory } from "${new URL("../../dist/api/output.js", import.meta.url)}";
    replaceDirectory(process.argv[1], (to) => {
      writeFileSync(to + "/file", "half");
      process.kill(process.pid, "SIGKILL");
      for (;;);
    });`;
  expect(existsSync("dist/api/output.js"), "npm run build comes first").toBe(true);
  const killed = spawnSync(process.execPath, ["--input-type=module", "-e", script, join(directory, "out")]);
  expect(killed.signal).toBe("SIGKILL");
  expect(content()).toBe("old");
  expect(readdirSync(directory)).toHaveLength(2);
  replaceDirectory(join(directory, "out"), (to) => writeFileSync(join(to, "file"), "new"));
  expect(content()).toBe("new");
  expect(readdirSync(directory)).toEqual(["out"]);
});
