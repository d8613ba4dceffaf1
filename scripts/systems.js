// Writes docs/systems.md: every system of examples/systems.json with the concepts its example uses, what it is held to, and
// the largest difference measured on each back end. Writes examples/README.md too (example-list.js).
//   npm run systems [-- EXAMPLE ..]      (WGSL needs a Vulkan driver: scripts/install-webgpu-drivers.sh)
// With examples named, only their rows are measured; the others stay as they are.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { runCase } from "../dist/conformance/goldens/run.js";
import { check, resolved } from "../dist/index.js";
import { exampleList } from "./example-list.js";

const at = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));
const systems = JSON.parse(readFileSync(at("examples/systems.json"), "utf8"));

/** The concepts of a description in a few words each. */
function concepts(model) {
  const d = JSON.parse(resolved({ model }));
  const blocks =
    d.blocks === undefined ? [] : (d.blocks.pattern ?? (Array.isArray(d.blocks) ? d.blocks : [d.blocks]));
  const mixers = [
    ...blocks.map((block) => block.mixer),
    ...(d.block ? [d.block.mixer] : []),
    ...(d.mixer ? [d.mixer] : []),
  ];
  const mixer = (m) => {
    if (m.kind === "linear" || m.kind === "norm") return undefined;
    const parts = m.mixers ?? m.branches;
    if (parts !== undefined) return [...new Set(parts.map(mixer).filter(Boolean))].join(" + ");
    if (m.kind === "attention")
      return `attention${m.mask.kind === "full" ? "" : ` ${m.mask.kind}`}${m.kv_heads === m.heads ? "" : " GQA"}`;
    if (m.filter === undefined) return m.kind;
    return m.gating === undefined
      ? `${m.kind} ${m.filter.kind}`
      : `${m.gating.kind === "none" ? "" : `${m.gating.kind} `}${m.filter.kind} ${m.filter.span}`;
  };
  return [
    d.state_space?.kind ?? d.part,
    d.noise_schedule?.family ?? "-",
    d.prediction_type === undefined
      ? "-"
      : d.prediction_type.x0_from === "direct"
        ? d.prediction_type.target
        : "softmax E",
    [
      ...new Set(mixers.map(mixer)),
      ...(blocks.some((block) => block.cross_attention) ? ["cross-attention"] : []),
    ].join(", "),
    d.sampler?.kind ?? "-",
  ];
}

const largest = (numbers) => numbers.reduce((most, value) => Math.max(most, value), 0);
const shown = (number) => (number === undefined ? "not run" : number === 0 ? "0" : number.toPrecision(1));

/** Largest difference over what is allowed, by back end, over the golden cases. */
async function ofGoldens(ids) {
  const found = {};
  for (const id of ids) {
    const report = await runCase(at(`test/goldens/${id}`));
    if (report.status !== "pass") throw new Error(`${id}: ${report.status} ${report.problem ?? ""}`);
    for (const { backend, difference, allowed } of report.comparisons)
      found[backend] = Math.max(found[backend] ?? 0, allowed > 0 ? difference / allowed : difference);
  }
  return [found.reference, found.onnx, found.wgsl];
}

/** Largest measured over allowed of `dlmc check`. */
async function ofCheck(example) {
  const trained = existsSync(at(`examples/${example}/weights.safetensors`));
  const strain = async (target) => {
    try {
      const report = await check({
        model: at(`examples/${example}/model.json`),
        target,
        steps: 3,
        ...(trained ? {} : { synthetic: 1 }),
      });
      if (!report.agrees) throw new Error(`${example} does not agree on ${target}`);
      return largest(
        report.graphs.flatMap(({ values, outputs }) => [
          ...values.map(({ isolated }) => isolated?.strain ?? 0),
          ...outputs.map(({ whole }) => whole?.strain ?? 0),
        ]),
      );
    } catch (error) {
      if (error.exitCode === 5) return undefined;
      throw error;
    }
  };
  return [undefined, await strain("onnx"), await strain("wgsl")];
}

const named = process.argv.slice(2);
const page = existsSync(at("docs/systems.md")) ? readFileSync(at("docs/systems.md"), "utf8") : "";
const rows = [];
for (const { system, source, example, goldens, oracle } of systems) {
  const link = `[${system}](../examples/${example})`;
  const known = page.split("\n").find((line) => line.startsWith(`| ${link} |`));
  if (known !== undefined && named.length > 0 && !named.includes(example)) {
    rows.push(known.slice(2, -2).split(" | "));
    continue;
  }
  const held = [...goldens.map((id) => `golden ${id}`), ...(oracle === undefined ? [] : [oracle])];
  const golden = await ofGoldens(goldens);
  const own = golden[1] === undefined ? await ofCheck(example) : [];
  const numbers = golden.map((value, i) => value ?? own[i]);
  rows.push([
    link,
    source,
    ...concepts(at(`examples/${example}/model.json`)),
    held.join("; "),
    numbers[0] === undefined ? "itself" : shown(numbers[0]),
    shown(numbers[1]),
    shown(numbers[2]),
  ]);
  process.stderr.write(`${system}\n`);
}
const heading = [
  "system",
  "source",
  "state",
  "schedule",
  "prediction",
  "mixer",
  "sampler",
  "held to",
  "reference",
  "ONNX",
  "WGSL",
];
writeFileSync(
  at("docs/systems.md"),
  `# Systems

Every system that an example describes. dlmc knows no system by name: a row is a choice for each concept, and the columns
*state* to *sampler* are those choices in the words of the [schema](../schema/model.schema.json). A part of a model, a
mixer or a block, has no schedule and no sampler.

*Held to* says where the numbers come from that dlmc has to give. A *golden* case is what upstream's own program printed,
recorded in [test/goldens](../test/goldens). A test file works the numbers out another way, by formulas in plain loops or
by counting every case.

The last three columns are how far the three ways of running a model are from those numbers: *reference* is the float64
evaluator, *ONNX* is ONNX Runtime on the CPU, *WGSL* is WebGPU. Each is the largest difference as a share of what is
allowed, so below 1 agrees and 0.1 is a tenth of the allowance.

- With a golden case the numbers are upstream's. Allowed are 1e-9 of the largest value for the reference, and for ONNX and
  WGSL ten times what upstream's own float32 run differs from its float64 run. Tokens must be equal.
- Without one, *reference* says *itself*: it is compared with nothing recorded, its formula is what the named test checks.
  ONNX and WGSL are compared with it by \`dlmc check\`, op by op; allowed is what float32 can round
  ([agreement.md](agreement.md)).
- Cases whose network is a stand-in have no graph: only the host computes them.

Written by \`npm run systems\` from [examples/systems.json](../examples/systems.json), the examples and the golden cases;
\`npm run systems -- NAME\` measures the rows of one example again. WGSL was measured on SwiftShader, a software driver.

${[heading, heading.map(() => "---"), ...rows].map((row) => `| ${row.join(" | ")} |`).join("\n")}
`,
);
writeFileSync(at("examples/README.md"), exampleList());
