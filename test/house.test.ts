// The rules of the house that a reader relies on: who may import whom, how long a file may be, what it is called.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { passes } from "../src/passes/index.js";

const root = fileURLToPath(new URL("..", import.meta.url));

const base = ["support"];
const core = [...base, "ir"];
const parts = [...core, "diffusion", "description", "weights"];
const joints = [
  ...parts,
  "lower",
  "passes",
  "emit-onnx",
  "emit-wgsl",
  "runtime",
  "runtime-check",
  "reference",
];
const line = [...joints, "import", "targets.ts", "compile.ts", "version.ts"];

/** Who may import whom: folders and files of src/, each with those it may name, type imports included. */
const allowed: Readonly<Record<string, readonly string[]>> = {
  support: [],
  ir: base,
  diffusion: core,
  description: [...core, "diffusion"],
  weights: [...core, "diffusion"],
  lower: [...core, "diffusion", "description", "weights"],
  passes: core,
  "emit-onnx": [...core, "weights"],
  "emit-wgsl": [...core, "weights"],
  runtime: [...base, "diffusion"],
  "runtime-check": [...core, "diffusion", "weights", "runtime"],
  reference: [...core, "diffusion", "runtime"],
  import: [...base, "weights"],
  "version.ts": [],
  "targets.ts": [...core, "passes", "emit-onnx", "emit-wgsl"],
  "compile.ts": [...parts, "lower", "passes", "targets.ts"],
  api: line,
  "index.ts": [...line, "api"],
  conformance: [...line, "api"],
  plugin: [...line, "api"],
  cli: [...line, "api", "conformance"],
};

function filesUnder(folder: string): string[] {
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .map((file) => join(folder, file).replaceAll("\\", "/"))
    .filter((file) => file.endsWith(".ts"))
    .sort();
}

const sources = filesUnder("src");
const written = [...sources, ...filesUnder("test"), ...filesUnder("bench")].filter(
  (file) => !file.includes("/generated/"),
);
const textOf = (file: string): string => readFileSync(join(root, file), "utf8");

/** Code without comments. A mark within a string is taken for a comment, which hides at most the end of its line. */
function codeOf(file: string): string {
  return textOf(file)
    .replace(/\/\*[\s\S]*?\*\//g, "")
    .replace(/(^|\s)\/\/.*$/gm, "");
}

/** What a file imports, type imports and `import(..)` too: paths from the repository for its own files. */
function importsOf(file: string): string[] {
  const found = codeOf(file).matchAll(
    /^\s*(?:import|export)\b[^"';]*?\bfrom\s+"([^"]+)"|^\s*import\s+"([^"]+)"|\bimport\("([^"]+)"\)/gm,
  );
  return [...found].map(([, from, bare, dynamic]) => {
    const target = (from ?? bare ?? dynamic)!;
    return target.startsWith(".") ? normalize(join(dirname(file), target)).replace(/\.js$/, ".ts") : target;
  });
}

const imports = new Map(sources.map((file) => [file, importsOf(file)]));
const placeOf = (file: string): string => file.split("/")[1]!;

describe("imports", () => {
  test("every folder of src has its row in the table", () => {
    expect([...new Set(sources.map(placeOf))].filter((place) => !(place in allowed))).toEqual([]);
  });

  test("arrows point one way", () => {
    const wrong = [...imports].flatMap(([file, targets]) =>
      targets
        .filter((target) => target.startsWith("src/") && placeOf(target) !== placeOf(file))
        .filter((target) => !allowed[placeOf(file)]!.includes(placeOf(target)))
        .map((target) => `${file} imports ${target}`),
    );
    expect(wrong).toEqual([]);
  });

  test("no file imports itself by way of others", () => {
    const state = new Map<string, "open" | "done">();
    const cycles: string[] = [];
    const visit = (file: string, path: readonly string[]): void => {
      if (state.get(file) === "done") return;
      if (state.get(file) === "open") {
        cycles.push([...path.slice(path.indexOf(file)), file].join(" -> "));
        return;
      }
      state.set(file, "open");
      for (const target of imports.get(file) ?? []) visit(target, [...path, file]);
      state.set(file, "done");
    };
    for (const file of sources) visit(file, []);
    expect(cycles).toEqual([]);
  });

  test("the table itself has no cycle", () => {
    const order: string[] = [];
    let rest = Object.keys(allowed);
    while (rest.length > 0) {
      const free = rest.filter((place) => allowed[place]!.every((p) => order.includes(p) || !(p in allowed)));
      expect(free, `one of ${rest.join(", ")} must come first`).not.toEqual([]);
      order.push(...free);
      rest = rest.filter((place) => !free.includes(place));
    }
  });

  test("what ships to browsers needs no Node, however far it reaches", () => {
    const reached = new Set(sources.filter((file) => ["runtime", "diffusion"].includes(placeOf(file))));
    for (const file of reached)
      for (const target of imports.get(file) ?? []) if (imports.has(target)) reached.add(target);
    const wrong = [...reached].flatMap((file) =>
      [...imports.get(file)!, ...(/\bBuffer\b/.test(codeOf(file)) ? ["Buffer"] : [])]
        .filter((target) => target.startsWith("node:") || target === "Buffer")
        .map((target) => `${file} needs ${target}`),
    );
    expect(wrong).toEqual([]);
  });

  test("imports from outside are dependencies of the package", () => {
    const { dependencies, peerDependencies } = JSON.parse(textOf("package.json")) as Record<string, object>;
    const known = Object.keys({ ...dependencies, ...peerDependencies });
    const wrong = [...imports].flatMap(([file, targets]) =>
      targets
        .filter((target) => !target.startsWith("src/") && !target.startsWith("node:"))
        .filter((target) => !known.some((name) => target === name || target.startsWith(`${name}/`)))
        .map((target) => `${file} imports ${target}`),
    );
    expect(wrong.filter((text) => !text.includes("/generated/"))).toEqual([]);
  });
});

describe("files", () => {
  test("a source file has at most 300 lines, a test 400", () => {
    const long = written
      .map((file) => ({ file, lines: textOf(file).split("\n").length - 1 }))
      .filter(({ file, lines }) => lines > (file.startsWith("test/") ? 400 : 300));
    expect(long).toEqual([]);
  });

  test("names are kebab-case", () => {
    const names = [...sources, ...filesUnder("test")].map((file) => file.replace(/(\.test)?(\.d)?\.ts$/, ""));
    expect(names.filter((file) => !/^[a-z0-9]+(-[a-z0-9]+)*$/.test(basename(file)))).toEqual([]);
  });

  test("a source file opens with what it is for", () => {
    const silent = sources.filter(
      (file) => !file.includes("/generated/") && !/^(#!.*\n)?(\/\/|\/\*)/.test(textOf(file)),
    );
    expect(silent).toEqual([]);
  });

  test.each([
    ["any", /(?::|<|\bas|=>|,)\s*any\b/],
    ["default exports", /^export default\b/m],
    ["enums", /^\s*(?:export )?(?:const )?enum\b/m],
    ["ignored type errors", /@ts-(?:ignore|nocheck|expect-error)/],
  ])("no %s", (_, pattern) => {
    // The configuration files of tools have to export by default.
    const checked = written.filter((file) =>
      pattern.test(file.endsWith("house.test.ts") ? "" : codeOf(file)),
    );
    expect(checked).toEqual([]);
  });

  test("nothing names a machine", () => {
    const wrong = written.filter(
      (file) => /\/(?:work|home|root)\/\w/.test(textOf(file)) && basename(file) !== "house.test.ts",
    );
    expect(wrong).toEqual([]);
  });
});

describe("passes", () => {
  const own = sources
    .filter((file) => /^src\/passes\/[^/]+\.ts$/.test(file))
    .map((file) => basename(file, ".ts"));
  const helpers = ["pass", "index", "check-values"];

  test("each is one file of its name, known to `dlmc opt`, with a file of modules before and after", () => {
    const named = own.filter((name) => !helpers.includes(name));
    expect(passes.map((entry) => entry.name).sort()).toEqual(named.sort());
    expect(named.filter((name) => !existsSync(join(root, `test/passes/${name}.ir`)))).toEqual([]);
  });
});
