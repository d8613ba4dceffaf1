// npm run bench:cache [-- --lengths 1024,2048 --blocks 16,32 --mixers convolution,attention --targets onnx,wgsl --steps 8
//                        --width 128 --layers 2 --rounds 7 --clock cpu --driver swiftshader|lavapipe|system --out cache.json]
//
// Milliseconds to denoise one block of a block-causal model with and without the exact cache of settled blocks. Without:
// `steps` calls over all positions. With: `steps` calls over the block, and one that settles it, which computes what it
// adds to the next (the transform over settled samples, for convolutions). Sides take turns within a round. The largest
// difference of the logits of both sides stands beside each row. --clock cpu counts the process's own milliseconds, of all
// its threads (a software driver's too), for machines with other work to do.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { underDriver } from "./driver.js";
import { ratios, summary } from "./statistics.js";

const { values: flags } = parseArgs({
  options: {
    lengths: { type: "string", default: "1024,2048" },
    blocks: { type: "string", default: "16,32" },
    mixers: { type: "string", default: "convolution,attention" },
    targets: { type: "string", default: "onnx,wgsl" },
    steps: { type: "string", default: "8" },
    width: { type: "string", default: "128" },
    layers: { type: "string", default: "2" },
    rounds: { type: "string", default: "7" },
    clock: { type: "string", default: "wall" },
    driver: { type: "string", default: "lavapipe" },
    out: { type: "string", default: "cache.json" },
  },
});
const at = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));
const numbers = (text) => text.split(",").map(Number);
const [steps, width, layers, rounds] = ["steps", "width", "layers", "rounds"].map((name) =>
  Number(flags[name]),
);
const targets = flags.targets.split(",");

if (targets.includes("wgsl")) underDriver(flags.driver, import.meta.url, ", or --targets onnx");

const { compile } = await import("../dist/index.js");
const { loadOnnx } = await import("../dist/runtime/index.js");
const { loadWebgpu } = await import("../dist/runtime/webgpu/index.js");
const { openGpu } = await import("../dist/api/gpu.js");
const gpu = targets.includes("wgsl") ? await openGpu() : undefined;
const info = (await gpu?.requestAdapter())?.info ?? {};
const adapter = [info.vendor, info.architecture, info.device, info.description].filter(Boolean).join(" ");
console.log(`${cpus()[0].model}, ${cpus().length} cores; ${adapter}; node ${process.version}`);

const vocabulary = 256;

/** A block-causal masked diffusion model whose settled blocks are kept. */
function description(mixer, length, block) {
  const mixers = {
    convolution: {
      kind: "long_conv",
      gating: { kind: "pre_post" },
      filter: { kind: "explicit", span: "block_causal", block },
    },
    attention: {
      kind: "attention",
      heads: 4,
      rope: { kind: "rotary" },
      mask: { kind: "block_causal", block },
    },
  };
  return {
    version: 1,
    state_space: { kind: "absorbing", vocab_size: vocabulary, seq_len: length },
    embedding: { dim: width },
    noise_schedule: { family: "log_linear" },
    timesteps: { kind: "linspace", num_steps: steps + 1 },
    blocks: { repeat: layers, norm: { kind: "rms" }, mixer: mixers[mixer], ffn: { kind: "glu" } },
    sampler: { kind: "ancestral", blocks: { length: block, cache: "exact" } },
  };
}

async function load(target, directory) {
  if (target === "onnx") return (await loadOnnx(directory)).runner;
  return (await loadWebgpu(directory, { gpu })).runner;
}

/** Milliseconds since some moment, of this process or of the wall. */
function now() {
  if (flags.clock !== "cpu") return performance.now();
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e3;
}

async function timed(body) {
  const start = now();
  await body();
  return now() - start;
}

async function compare(mixer, target, length, block) {
  const directory = mkdtempSync(join(tmpdir(), "dlmc-bench-"));
  try {
    const model = join(directory, "model.json");
    writeFileSync(model, JSON.stringify(description(mixer, length, block)));
    compile({ model, synthetic: 1, target, outDir: join(directory, "bundle") });
    const runner = await load(target, join(directory, "bundle"));
    const tokens = Int32Array.from({ length }, (_, i) => (7 * i * i + 3 * i) % vocabulary);
    const level = [0];
    let [session] = runner.openBlocks(1, 1);
    let start = 0;
    /** Goes on to the next block; the last one is never settled. */
    const own = () => tokens.slice(start, start + block);
    const kept = async () => {
      for (let step = 0; step < steps; step++) await session.logits({ tokens: own(), level });
      await session.settle({ tokens: own(), level }, block);
      start += block;
    };
    const whole = async () => {
      // Sessions and whole calls of a WebGPU model take turns on its buffers.
      for (let step = 0; step < steps; step++) await runner.logits({ batch: 1, tokens, level });
    };
    const reopened = async (body) => {
      session.close();
      const milliseconds = await timed(body);
      [session] = runner.openBlocks(1, 1);
      start = 0;
      return milliseconds;
    };
    await kept();
    await kept();
    const logits = Float32Array.from(await session.logits({ tokens: own(), level }));
    const [from, count] = [start * vocabulary, block * vocabulary];
    let all;
    await reopened(async () => {
      all = Float32Array.from(await runner.logits({ batch: 1, tokens, level }));
    });
    const expected = all.subarray(from, from + count);
    const largest = expected.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
    const apart = expected.reduce((most, v, i) => Math.max(most, Math.abs(v - logits[i])), 0) / largest;
    const times = { without: [], with: [] };
    for (let round = 0; round < rounds; round++)
      for (const side of round % 2 ? ["with", "without"] : ["without", "with"])
        times[side].push(side === "with" ? await timed(kept) : await reopened(whole));
    session.close();
    await runner.dispose();
    return {
      mixer,
      target,
      length,
      block,
      milliseconds: { without: summary(times.without), with: summary(times.with) },
      withoutOverWith: ratios(times.without, times.with),
      relativeDifference: apart,
    };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** Everything measured so far, so that a run that is cut short leaves its rows. */
function save(results) {
  const machine = {
    cpu: cpus()[0].model,
    cores: cpus().length,
    load: loadavg(),
    date: new Date().toISOString(),
  };
  const facts = { machine, adapter, node: process.version, clock: flags.clock, rounds };
  const size = { steps, width, layers, vocabulary };
  mkdirSync(at("bench/results"), { recursive: true });
  writeFileSync(
    at(`bench/results/${flags.out}`),
    `${JSON.stringify({ ...facts, ...size, results }, null, 2)}\n`,
  );
}

const results = [];
for (const target of targets)
  for (const mixer of flags.mixers.split(","))
    for (const length of numbers(flags.lengths))
      for (const block of numbers(flags.blocks)) {
        const row = await compare(mixer, target, length, block);
        results.push(row);
        save(results);
        const { without, with: kept } = row.milliseconds;
        const { median, p10, p90 } = row.withoutOverWith;
        console.log(
          `${target} ${mixer.padEnd(11)} L ${length} block ${block}: ${without.median.toFixed(1)} ms a block without, ${kept.median.toFixed(1)} ms with the cache; ${median.toFixed(1)}x (${p10.toFixed(1)}..${p90.toFixed(1)}); logits differ by ${row.relativeDifference.toExponential(0)}`,
        );
      }
console.log(`wrote bench/results/${flags.out}`);
process.exit(0);
