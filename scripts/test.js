// npm test: builds, type-checks, lints, runs every test file, and ends with one line, `N passed, N failed`.
// Arguments are passed on to vitest. A step that fails counts as one failed test.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const bin = (name) => join(process.cwd(), "node_modules", ".bin", name);
const run = (command, args) => spawnSync(command, args, { stdio: "inherit" }).status ?? 1;

let passed = 0;
let failed = 0;
const step = (name, command, args) => {
  const ok = run(command, args) === 0;
  console.log(`${ok ? "ok" : "FAILED"}: ${name}`);
  if (ok) passed++;
  else failed++;
};

const filters = process.argv.slice(2);
if (filters.length === 0) {
  step("type check", bin("tsc"), ["--noEmit"]);
  step("lint", bin("biome"), ["check", "--error-on-warnings", "."]);
}
step("build", "npm", ["run", "--silent", "build"]);

const directory = mkdtempSync(join(tmpdir(), "dlmc-test-"));
const report = join(directory, "report.json");
const status = run(bin("vitest"), [
  "run",
  "--reporter=default",
  "--reporter=json",
  `--outputFile.json=${report}`,
  ...filters,
]);
try {
  const { numPassedTests, numFailedTests, numFailedTestSuites } = JSON.parse(readFileSync(report, "utf8"));
  passed += numPassedTests;
  // A file that does not load has no tests to count, but has failed.
  failed += numFailedTests > 0 || status === 0 ? numFailedTests : Math.max(1, numFailedTestSuites);
} catch {
  failed++;
}
rmSync(directory, { recursive: true, force: true });
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
