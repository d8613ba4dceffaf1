// The committed upstream cases through the runner of `npm run goldens`: every tensor on every back end.

import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Ajv2020 } from "ajv/dist/2020.js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { unitInLastPlace } from "../../src/conformance/goldens/compare.js";
import { allPass, type CaseReport, caseText, reportOf } from "../../src/conformance/goldens/report.js";
import { findCases, runCase } from "../../src/conformance/goldens/run.js";
import { driverEnvironment, mainDriver, notRun } from "../emit-wgsl/device.js";
import { diagnosticsOf } from "../weights/helpers.js";

const goldens = fileURLToPath(new URL("../goldens", import.meta.url));
const ids = readdirSync(goldens, { withFileTypes: true })
  .filter((file) => file.isDirectory())
  .map(({ name }) => name);

/** The number of compared tensors: a comparison must not go missing. */
const comparisons: Readonly<Record<string, number>> = {
  "langflow-a": 19,
  "hyena-a": 7,
  "h3-a": 1,
  "m2-mixer-a": 12,
  "m2-layer-a": 10,
  "dlm-net-a": 13,
  "dlm-sampler-a": 18,
  "dlm-schedule-a": 76,
  "mdlm-a": 21,
  "mdlm-windows-a": 16,
  "sedd-absorb-a": 20,
  "sedd-uniform-a": 20,
  "sedd-net-a": 10,
  "bd3-a": 12,
  "bd3-decode-a": 12,
  "duo-a": 26,
  "llada-decode-a": 12,
  "llada-net-a": 9,
  "llada2-net-a": 5,
  "diffusion-gemma-net-a": 11,
  "sdar-decode-a": 20,
  "llada2-decode-a": 20,
  "fastdllm-a": 10,
  "dream-decode-a": 16,
  "dream-net-a": 5,
  "longconv-a": 4,
  "longconv-kernel-a": 1,
  "s4d-a": 4,
  "s4-dplr-a": 3,
  "sgconv-a": 2,
  "vortex-a": 5,
  "gfnet-a": 2,
  "afno-a": 1,
  "elf-a": 11,
};

const reports = new Map<string, CaseReport>();

it("has these cases", () => {
  expect([...ids].sort()).toEqual(Object.keys(comparisons).sort());
});

describe.each(ids)("%s", (id) => {
  let report: CaseReport;
  beforeAll(async () => {
    report = await runCase(join(goldens, id));
    reports.set(id, report);
  });

  it("agrees with upstream on every back end", () => {
    expect(report.problem).toBeUndefined();
    expect(report.comparisons.filter(({ backend }) => backend === "reference")).toHaveLength(
      comparisons[id]!,
    );
    for (const { tensor, backend, difference, allowed } of report.comparisons)
      expect.soft(difference, `${tensor} on ${backend}`).toBeLessThanOrEqual(allowed);
    expect(report.status).toBe("pass");
  });

  it("compares everything that upstream recorded", () => {
    expect(report.notCompared).toEqual([]);
  });
});

it("agrees with upstream on WGSL, for every tensor that ONNX computes", { timeout: 300_000 }, () => {
  // A graphics driver is found by variables that must stand before a process starts.
  const driver = driverEnvironment(mainDriver);
  if (driver === undefined) return notRun(`driver ${mainDriver} missing`);
  const main = ["dist/conformance/goldens/main.js", goldens, "--json"];
  const env = { ...process.env, ...driver };
  const { stdout, stderr } = spawnSync(process.execPath, main, { env, encoding: "utf8", maxBuffer: 1 << 28 });
  expect(stdout, stderr).not.toBe("");
  const { cases } = JSON.parse(stdout) as { cases: readonly CaseReport[] };
  for (const { id, comparisons: compared } of cases) {
    const of = (backend: string) => compared.filter((one) => one.backend === backend);
    expect(
      of("wgsl").map(({ tensor }) => tensor),
      id,
    ).toEqual(of("onnx").map(({ tensor }) => tensor));
    for (const { tensor, difference, allowed } of of("wgsl"))
      expect.soft(Number(difference), `${tensor} of ${id}`).toBeLessThanOrEqual(Number(allowed));
  }
});

it("prints a report that its schema accepts", () => {
  const schema: unknown = JSON.parse(
    readFileSync(new URL("../../schema/goldens.schema.json", import.meta.url), "utf8"),
  );
  const validate = new Ajv2020({ strict: true, allowUnionTypes: true }).compile(schema as object);
  const failing: CaseReport = {
    id: "x",
    system: "S",
    status: "not covered",
    comparisons: [],
    notCompared: [],
    unknownFields: [],
  };
  const report = JSON.parse(JSON.stringify(reportOf([...reports.values(), failing])));
  validate(report);
  expect(validate.errors ?? []).toEqual([]);
  expect(report.totals).toMatchObject({ pass: ids.length, fail: 0, error: 0, notCovered: 1 });
  expect(validate({ ...report, extra: 1 })).toBe(false);
});

describe("what does not agree", () => {
  let place: string;
  beforeAll(() => {
    place = mkdtempSync(join(tmpdir(), "dlmc-goldens-test-"));
  });
  afterAll(() => rmSync(place, { recursive: true }));

  function copy(
    id: string,
    name: string,
    change: (facts: Record<string, unknown>) => void = () => {},
  ): string {
    const directory = join(place, name);
    cpSync(join(goldens, id), directory, { recursive: true });
    const file = join(directory, "case.json");
    const facts = JSON.parse(readFileSync(file, "utf8")) as Record<string, unknown>;
    change(facts);
    writeFileSync(file, JSON.stringify(facts));
    return directory;
  }

  it("fails a case whose options say something else", async () => {
    // A window with a floor has other taps; upstream's numbers do not have it.
    const report = await runCase(
      copy("hyena-a", "shifted", (facts) => Object.assign(facts.args as object, { shift: 0.01 })),
    );
    expect(report.status).toBe("fail");
    const failed = report.comparisons
      .filter(({ pass }) => !pass)
      .map(({ tensor, backend }) => `${tensor} ${backend}`);
    expect(failed).toContain("out reference");
    expect(failed).toContain("out onnx");
    expect(failed).not.toContain("mid.in_proj reference");
    expect(caseText(report)).toMatch(/FAIL {2}out +reference/);
    expect(allPass(reportOf([report]))).toBe(false);
  });

  it("fails ONNX alone where the stated gap is too small for float32", async () => {
    const report = await runCase(
      copy("m2-mixer-a", "narrow", (facts) => {
        const { fp32_vs_fp64: gaps } = facts.precision as { fp32_vs_fp64: Record<string, object> };
        gaps.out = { max_abs: 1e-12 };
      }),
    );
    expect(
      report.comparisons.filter(({ pass }) => !pass).map(({ tensor, backend }) => [tensor, backend]),
    ).toEqual([["out", "onnx"]]);
  });

  it("lists a system it does not cover, and does not call that agreement", async () => {
    const report = await runCase(
      copy("hyena-a", "other", (facts) => Object.assign(facts, { system: "Perceiver" })),
    );
    expect(caseText(report)).toBe("hyena-a: not covered: Perceiver");
    expect(allPass(reportOf([report]))).toBe(false);
    expect(allPass(reportOf([report, reports.get("hyena-a")!]))).toBe(true);
  });

  it("says which field of a run it does not know, and compares what it can", async () => {
    const report = await runCase(
      copy("dream-decode-a", "unknown", ({ args }) => {
        const { runs } = args as { runs: Record<string, Record<string, unknown>> };
        Object.assign(runs.entropy!, { patience: 3 });
      }),
    );
    expect(report).toMatchObject({ status: "pass", unknownFields: ["runs.entropy.patience"] });
    expect(caseText(report)).toMatch(/fields not known: runs\.entropy\.patience/);
  });

  it("reads the numbers of Python's JSON", async () => {
    const directory = copy("fastdllm-a", "nan");
    const file = join(directory, "case.json");
    const text = readFileSync(file, "utf8").replace(
      '"fp32_vs_fp64":{',
      '"fp32_vs_fp64":{"x":{"max_abs":NaN}',
    );
    writeFileSync(file, text);
    expect(text).toContain("NaN");
    expect((await runCase(directory)).status).toBe("pass");
  });

  it("reports a case that cannot be run and goes on", async () => {
    const directory = copy("hyena-a", "damaged");
    writeFileSync(join(directory, "weights.safetensors"), "no header");
    const report = await runCase(directory);
    expect(report).toMatchObject({ status: "error", comparisons: [] });
    expect(report.problem).toMatch(/safetensors/);
  });

  it("refuses a directory without cases", () => {
    const empty = join(place, "empty");
    mkdirSync(empty);
    expect(diagnosticsOf(() => findCases(empty))[0]).toMatchObject({ code: "goldens/directory" });
    expect(diagnosticsOf(() => findCases(join(place, "nowhere")))[0]).toMatchObject({
      code: "goldens/directory",
    });
    expect(findCases(join(goldens, "hyena-a"))).toEqual([join(goldens, "hyena-a")]);
    // Files beside the cases are passed over: there is a README among these.
    expect(findCases(goldens)).toEqual([...ids].sort().map((id) => join(goldens, id)));
  });
});

it("counts units in the last place of float32", () => {
  expect(unitInLastPlace(1)).toBe(2 ** -23);
  expect(unitInLastPlace(1.99)).toBe(2 ** -23);
  expect(unitInLastPlace(2)).toBe(2 ** -22);
  expect(unitInLastPlace(0)).toBe(2 ** -149);
});
