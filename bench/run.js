// npm run bench [-- --lengths 256,1024 --channels 256 --batch 1 --rounds 7 --dft-below 600000 --out name.json]
//
// Times the FFT mixer layer on ONNX Runtime's CPU provider, one thread, against the graph torch.onnx exports
// and against torch.fft in its best layout. Sides take turns within a round. Build first: npm run build.
// --clock cpu counts the process's own seconds instead of the wall's, for machines with other work to do.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import * as ort from "onnxruntime-node";
import { explainFft } from "../dist/passes/fft/explain.js";
import { layerWeights, noise, writeDft, writeOurs } from "./graphs.js";
import { ratios, summary } from "./statistics.js";
import { startTorch } from "./torch.js";
import { largestError, swapped } from "./transform.js";

const { values: flags } = parseArgs({
  options: {
    lengths: { type: "string", default: "128,256,512,1024,2048,4096,16384" },
    channels: { type: "string", default: "64,256,768" },
    batch: { type: "string", default: "1" },
    rounds: { type: "string", default: "7" },
    "dft-below": { type: "string", default: "600000" },
    clock: { type: "string", default: "wall" },
    out: { type: "string", default: "fft-layer.json" },
  },
});
const numbers = (text) => text.split(",").map(Number);
const rounds = Number(flags.rounds);
/** Seconds one side runs within a round. */
const slot = 0.05;

const layouts = ["bdn", "bnd", "bndT"];
const sessionOptions = {
  executionProviders: ["cpu"],
  intraOpNumThreads: 1,
  interOpNumThreads: 1,
  executionMode: "sequential",
  graphOptimizationLevel: "all",
};

/** Seconds since some moment, of this process or of the wall. */
function now() {
  if (flags.clock !== "cpu") return Number(process.hrtime.bigint()) / 1e9;
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** A side of the comparison: time(n) is the mean of n runs in seconds. */
function ortSide(session, feeds) {
  return async (times) => {
    const start = now();
    for (let i = 0; i < times; i++) await session.run(feeds);
    return (now() - start) / times;
  };
}

async function compare(batch, length, channels, torch) {
  const layers = length * channels > 2e6 ? 1 : 4;
  const size = { length, channels, batch, layers };
  const directory = mkdtempSync(join(tmpdir(), "dlmc-bench-"));
  const opened = [];
  const open = async (path) => {
    const session = await ort.InferenceSession.create(path, sessionOptions);
    opened.push(session);
    return session;
  };
  try {
    const weights = layerWeights(size);
    const inputs = {
      v: noise(batch * length * channels, 1),
      g1: noise(batch * length * channels, 2),
      g2: noise(batch * length * channels, 3),
    };
    const ours = writeOurs(directory, size, weights);
    const feed = (shape, change) =>
      Object.fromEntries(
        Object.entries(inputs).map(([name, x]) => [name, new ort.Tensor("float32", change(x), shape)]),
      );
    const session = await open(ours.path);
    const feeds = feed([batch, length, channels], (x) => x);
    const sides = { ours: ortSide(session, feeds) };
    const { y } = await session.run(feeds);
    const errors = {};
    if (length * channels * batch < Number(flags["dft-below"])) {
      const path = join(directory, "dft.onnx");
      writeDft(path, size, weights);
      const exported = await open(path);
      const turned = feed([batch, channels, length], (x) => swapped(x, batch, length, channels));
      sides.dft = ortSide(exported, turned);
      const other = (await exported.run(turned)).y.data;
      errors.dft = largestError(swapped(other, batch, channels, length), y.data);
    }
    if (torch !== undefined) {
      const put = (name, data) =>
        writeFileSync(
          join(directory, `${name}.bin`),
          new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
        );
      for (const [name, data] of Object.entries(inputs)) put(name, data);
      weights.forEach(({ taps, skip }, i) => {
        put(`taps.${i}`, taps);
        put(`skip.${i}`, skip);
      });
      put("y", y.data);
      Object.assign(errors, await torch.ask({ do: "load", case: { directory, ...size } }));
      for (const layout of layouts)
        sides[layout] = (times) => torch.ask({ do: "time", layout, times, clock: flags.clock });
    }
    const times = await alternate(sides);
    return {
      batch,
      length,
      channels,
      layers,
      choice: choiceOf(ours.module, batch),
      errors,
      ...figures(times, layers),
    };
  } finally {
    for (const session of opened) await session.release();
    rmSync(directory, { recursive: true });
  }
}

/** Every side once per round, in an order that turns round by round; seconds per run by side and round. */
async function alternate(sides) {
  const names = Object.keys(sides);
  const repeats = {};
  for (const name of names)
    repeats[name] = Math.max(1, Math.min(200, Math.round(slot / (await sides[name](1)))));
  const times = Object.fromEntries(names.map((name) => [name, []]));
  for (let round = 0; round < rounds; round++)
    for (let i = 0; i < names.length; i++) {
      const name = names[(i + round) % names.length];
      times[name].push(await sides[name](repeats[name]));
    }
  return times;
}

/** Milliseconds per layer and the ratios the targets are about. */
function figures(times, layers) {
  const sides = Object.fromEntries(
    Object.entries(times).map(([name, t]) => [name, summary(t.map((s) => (s * 1e3) / layers))]),
  );
  const measured = layouts.filter((layout) => sides[layout] !== undefined);
  const fastest = (names) => [...names].sort((a, b) => sides[a].median - sides[b].median)[0];
  const best = fastest(measured);
  // dlmc's layer reads and writes [B, N, D], as the layers around it do; bdn gets its lines for nothing.
  const alike = fastest(measured.filter((layout) => layout !== "bdn"));
  return {
    milliseconds: sides,
    ...(best && {
      torchLayout: best,
      oursOverTorch: ratios(times.ours, times[best]),
      oursOverTorchAlike: ratios(times.ours, times[alike]),
    }),
    ...(sides.dft && { dftOverOurs: ratios(times.dft, times.ours) }),
  };
}

function choiceOf(module, batch) {
  const [convolution] = explainFft(module, undefined, batch).convolutions;
  const chosen = convolution.lowerings.find((lowering) => lowering.chosen);
  return { name: chosen.name, predictedMilliseconds: chosen.seconds * 1e3 };
}

const torch = startTorch();
const facts = torch === undefined ? undefined : await torch.ask({ do: "facts" });
console.log(
  `${cpus()[0].model}, ${cpus().length} cores; node ${process.version}, onnxruntime-node ${ort.env.versions.node}`,
);
console.log(
  facts === undefined
    ? "not run: torch.fft (no Python with torch found)"
    : `torch ${facts.version}, ${facts.mkl ? "MKL" : "pocketfft"}, 1024^3 product at ${facts.matmul_gflops.toFixed(0)} GFLOP/s on one thread`,
);
const columns = [
  "B",
  "N",
  "D",
  "ours ms",
  "spread",
  "choice",
  "predicted",
  "torch ms",
  "layout",
  "ours/torch",
  "in [B,N,D]",
  "dft ms",
  "dft/ours",
];
const widths = [3, 6, 4, 8, 12, 32, 9, 8, 6, 18, 18, 8, 18];
const show = (cells) => console.log(cells.map((cell, i) => String(cell).padStart(widths[i])).join(" "));
const ms = (value) => (value === undefined ? "" : value.toPrecision(3));
const spread = (s) =>
  s === undefined ? "" : `${s.median.toFixed(2)} (${s.p10.toFixed(2)}..${s.p90.toFixed(2)})`;
show(columns);
const results = [];
for (const batch of numbers(flags.batch))
  for (const channels of numbers(flags.channels))
    for (const length of numbers(flags.lengths)) {
      const row = await compare(batch, length, channels, torch);
      results.push(row);
      const { ours, dft } = row.milliseconds;
      show([
        batch,
        length,
        channels,
        ms(ours.median),
        `${ms(ours.p10)}..${ms(ours.p90)}`,
        row.choice.name,
        ms(row.choice.predictedMilliseconds),
        ms(row.milliseconds[row.torchLayout]?.median),
        row.torchLayout ?? "",
        spread(row.oursOverTorch),
        spread(row.oursOverTorchAlike),
        ms(dft?.median),
        spread(row.dftOverOurs),
      ]);
    }
torch?.stop();
const machine = {
  cpu: cpus()[0].model,
  cores: cpus().length,
  load: loadavg(),
  date: new Date().toISOString(),
};
const versions = { node: process.version, onnxruntime: ort.env.versions.node, torch: facts };
const target = fileURLToPath(new URL(`results/${flags.out}`, import.meta.url));
mkdirSync(fileURLToPath(new URL("results", import.meta.url)), { recursive: true });
writeFileSync(
  target,
  `${JSON.stringify({ machine, versions, threads: 1, rounds, clock: flags.clock, results }, null, 2)}\n`,
);
console.log(`wrote bench/results/${flags.out}`);
