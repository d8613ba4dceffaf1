// Writes src/emit-onnx/capability/generated/*.ts: which operators have kernels on which execution provider of
// ONNX Runtime, and at which opsets each operator's definition changed. Run by a maintainer, by hand:
//   node scripts/generate-capabilities.js <git directory of microsoft/onnxruntime> <git directory of onnx/onnx> [ref]
// Only facts are taken: operator names, version ranges and element types.
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const [runtimeRepository, onnxRepository, ref = "HEAD"] = process.argv.slice(2);
if (runtimeRepository === undefined || onnxRepository === undefined) {
  console.error("usage: node scripts/generate-capabilities.js <onnxruntime git dir> <onnx git dir> [ref]");
  process.exit(2);
}

const git = (repository, ...args) =>
  execFileSync("git", ["-C", repository, ...args], { encoding: "utf8", maxBuffer: 1 << 28 });
const show = (repository, path) => git(repository, "show", `${ref}:${path}`);
const commit = (repository) => git(repository, "rev-parse", ref).trim();

/** One letter per element type; types that dlmc never emits (strings, sequences, 8 and 4 bits floats) are dropped. */
const letters = {
  float: "f",
  float16: "h",
  bfloat16: "b",
  double: "d",
  int64: "l",
  int32: "i",
  int16: "s",
  int8: "c",
  uint64: "L",
  uint32: "I",
  uint16: "S",
  uint8: "C",
  bool: "?",
};

function typeLetters(text) {
  const found = [...text.matchAll(/(?<![(])\btensor\((\w+)\)(?!\))/g)].map((m) => letters[m[1]]);
  return Object.values(letters)
    .filter((letter) => found.includes(letter))
    .join("");
}

/** `[13, 18]` | `13` | `13+` -> `13-18` | `13-13` | `13-`. */
function range(text) {
  const closed = /^\[(\d+), (\d+)\]$/.exec(text);
  if (closed) return `${closed[1]}-${closed[2]}`;
  return text.endsWith("+") ? `${text.slice(0, -1)}-` : `${text}-${text}`;
}

/** Parameter list -> one token per position: variables joined by `/` where variants differ, `=l` for a fixed type. */
function positions(text, direction) {
  const slots = [];
  for (const variant of text.split("or<br>")) {
    const names = [...variant.matchAll(/\*(in|out)\* \w+:\*\*([^*]+)\*\*/g)].filter(
      (m) => m[1] === direction,
    );
    for (const [index, [, , name]] of names.entries()) {
      const token = name.startsWith("tensor(") ? `=${typeLetters(name)}` : name;
      slots[index] ??= [];
      if (!slots[index].includes(token)) slots[index].push(token);
    }
  }
  return slots.map((alternatives) => alternatives.join("/")).join(",");
}

/** OperatorKernels.md, one provider -> lines `domain:Name range inputs>outputs T=fh U=l`. */
function providerTable(markdown, provider) {
  const section = markdown
    .split(`## Operators implemented by ${provider}\n`)[1]
    .split("\n## Operators implemented by")[0];
  const lines = [];
  let domain = "";
  let name = "";
  let parameters = "";
  for (const row of section.split("\n")) {
    const heading = /^\|\*\*Operator Domain:\*\* \*([\w.]+)\*/.exec(row);
    if (heading) domain = heading[1];
    const cells = row.split("|").slice(1, -1);
    if (heading || cells.length !== 4 || cells[0].startsWith("---") || cells[0] === "Op Name") continue;
    if (cells[0] !== "") [name, parameters] = cells;
    if (domain !== "ai.onnx" && domain !== "com.microsoft") continue;
    const types = [...cells[3].matchAll(/\*\*(\w+)\*\* = ((?:(?!<br).)*)/g)].map(
      (m) => `${m[1]}=${typeLetters(m[2])}`,
    );
    const key = domain === "ai.onnx" ? name : `${domain}:${name}`;
    const signature = `${positions(parameters, "in")}>${positions(parameters, "out")}`;
    lines.push([key, range(cells[2]), signature, ...types].join(" "));
  }
  return lines;
}

/** Registrations of the WebGPU provider -> lines `domain:Name range`; its sources give no type lists here. */
function webgpuTable(sources) {
  const lines = new Set();
  const pattern =
    /class ONNX_OPERATOR_(VERSIONED_)?(TYPED_)?KERNEL_CLASS_NAME\(kWebGpuExecutionProvider,\s*(kOnnxDomain|kMSDomain),\s*([^)]*)\)/g;
  for (const [, versioned, typed, domain, rest] of sources.matchAll(pattern)) {
    const parts = rest.split(",").map((s) => s.trim());
    const start = parts.shift();
    const end = versioned ? parts.shift() : "";
    if (typed) parts.shift();
    lines.add(`${domain === "kOnnxDomain" ? "" : "com.microsoft:"}${parts[0]} ${start}-${end}`);
  }
  return [...lines].sort();
}

/** Operators.md -> lines `Name 1 6 13`: the opsets at which the definition changed. */
function schemaVersions(markdown) {
  const table = markdown.split("### ai.onnx (default)")[1].split("\n### ")[0];
  const lines = [];
  for (const row of table.split("\n")) {
    const name = /^\|<a href="#(\w+)">/.exec(row);
    if (!name) continue;
    const versions = [...row.split("|")[2].matchAll(/(?:>|^|, )(\d+)/g)].map((m) => Number(m[1]));
    if (versions.length > 0) lines.push([name[1], ...versions.sort((a, b) => a - b)].join(" "));
  }
  return lines.sort();
}

function write(file, source, constants) {
  const head = `// Generated by scripts/generate-capabilities.js; do not edit.\n// Facts from ${source}.\n`;
  const body = Object.entries(constants).map(
    ([name, lines]) => `\nexport const ${name} = \`\n${lines.join("\n")}\n\`;\n`,
  );
  const directory = new URL("../src/emit-onnx/capability/generated/", import.meta.url);
  mkdirSync(directory, { recursive: true });
  writeFileSync(fileURLToPath(new URL(file, directory)), head + body.join(""));
}

const kernels = show(runtimeRepository, "docs/OperatorKernels.md");
const runtime = `microsoft/onnxruntime ${show(runtimeRepository, "VERSION_NUMBER").trim()} (commit ${commit(runtimeRepository)})`;
write("kernels.ts", `${runtime}: docs/OperatorKernels.md and the WebGPU provider's registrations`, {
  cpuKernels: providerTable(kernels, "CPUExecutionProvider"),
  cudaKernels: providerTable(kernels, "CUDAExecutionProvider"),
  webgpuKernels: webgpuTable(
    show(runtimeRepository, "onnxruntime/core/providers/webgpu/webgpu_execution_provider.cc") +
      show(runtimeRepository, "onnxruntime/contrib_ops/webgpu/webgpu_contrib_kernels.cc"),
  ),
});
write("schemas.ts", `onnx/onnx (commit ${commit(onnxRepository)}): docs/Operators.md`, {
  schemaVersions: schemaVersions(show(onnxRepository, "docs/Operators.md")),
});
