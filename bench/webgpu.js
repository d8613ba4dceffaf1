// npm run bench:webgpu [-- --examples sudoku,verses --rounds 7 --steps 4 --driver swiftshader|lavapipe|system --out name.json]
//
// Time per step of dlmc's WGSL bundle against ONNX Runtime's WebGPU provider running dlmc's own ONNX graphs of the same
// model: same adapter, same process, the whole sampling loop of each, sides taking turns. Drivers: scripts/install-webgpu-drivers.sh.

import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { underDriver } from "./driver.js";
import { ratios, summary } from "./statistics.js";

const { values: flags } = parseArgs({
  options: {
    examples: { type: "string", default: "sudoku,verses" },
    rounds: { type: "string", default: "7" },
    steps: { type: "string", default: "4" },
    driver: { type: "string", default: "lavapipe" },
    out: { type: "string" },
  },
});
const at = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));
const rounds = Number(flags.rounds);
const steps = Number(flags.steps);
const out = flags.out ?? `webgpu-step-${flags.driver}.json`;

underDriver(flags.driver, import.meta.url);

const { compile } = await import("../dist/index.js");
const { generate, loadOnnx, planFromManifest } = await import("../dist/runtime/index.js");
const { loadWebgpu } = await import("../dist/runtime/webgpu/index.js");
const { openGpu } = await import("../dist/api/gpu.js");
const gpu = await openGpu();
const { info } = await gpu.requestAdapter();
const adapter = [info.vendor, info.architecture, info.device, info.description].filter(Boolean).join(" ");
console.log(`${adapter}; ${cpus()[0].model}, ${cpus().length} cores; node ${process.version}`);

/** Seconds per step of a loop over all states, and the last tokens. */
async function timed(states) {
  const start = performance.now();
  let tokens;
  for await (const state of states) tokens = [...state.tokens];
  return { seconds: (performance.now() - start) / 1e3 / steps, tokens };
}

async function compare(example) {
  const directory = mkdtempSync(join(tmpdir(), "dlmc-bench-"));
  try {
    const model = at(`examples/${example}/model.json`);
    const weights = existsSync(at(`examples/${example}/weights.safetensors`)) ? {} : { synthetic: 1 };
    for (const target of ["onnx", "wgsl"])
      compile({ model, ...weights, target, outDir: join(directory, target) });
    const ours = await loadWebgpu(join(directory, "wgsl"), { gpu });
    const theirs = await loadOnnx(join(directory, "onnx"), { executionProviders: ["webgpu"] });
    const plan = planFromManifest(theirs.manifest, steps);
    const sides = {
      dlmc: () => timed(ours.generate({ seed: 1, steps })),
      ort: () => timed(generate(theirs.runner, { plan, batch: 1, noise: 1 })),
    };
    const first = { dlmc: await sides.dlmc(), ort: await sides.ort() };
    const times = { dlmc: [], ort: [] };
    for (let round = 0; round < rounds; round++)
      for (const name of round % 2 ? ["ort", "dlmc"] : ["dlmc", "ort"])
        times[name].push((await sides[name]()).seconds);
    ours.destroy();
    const differ = first.dlmc.tokens.filter((token, i) => token !== first.ort.tokens[i]).length;
    return {
      example,
      milliseconds: Object.fromEntries(
        Object.entries(times).map(([name, list]) => [name, summary(list.map((s) => s * 1e3))]),
      ),
      dlmcOverOrt: ratios(times.dlmc, times.ort),
      tokensThatDiffer: differ,
    };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

const results = [];
for (const example of flags.examples.split(",")) {
  const row = await compare(example);
  results.push(row);
  const { dlmc, ort } = row.milliseconds;
  const { median, p10, p90 } = row.dlmcOverOrt;
  console.log(
    `${example.padEnd(16)} dlmc ${dlmc.median.toFixed(2)} ms a step, ONNX Runtime WebGPU ${ort.median.toFixed(2)} ms; ratio ${median.toFixed(2)} (${p10.toFixed(2)}..${p90.toFixed(2)}); ${row.tokensThatDiffer} tokens differ`,
  );
}
const machine = {
  cpu: cpus()[0].model,
  cores: cpus().length,
  load: loadavg(),
  date: new Date().toISOString(),
};
mkdirSync(at("bench/results"), { recursive: true });
writeFileSync(
  at(`bench/results/${out}`),
  `${JSON.stringify({ machine, adapter, node: process.version, steps, rounds, results }, null, 2)}\n`,
);
console.log(`wrote bench/results/${out}`);
process.exit(0);
