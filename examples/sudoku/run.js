// npm run sudoku: compiles the trained model to ONNX, checks it, and solves held-out puzzles with ONNX Runtime, with
// the float64 reference and, where python3-torch is installed, with PyTorch, all from the same noise.
//   node examples/sudoku/run.js [--puzzles 500] [--reference 24] [--seed 0]
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { check, compile, loadModel, openSession } from "../../dist/index.js";
import { generateToEnd, seededNoise } from "../../dist/runtime/index.js";

const here = (file) => fileURLToPath(new URL(file, import.meta.url));
const flag = (name, otherwise) => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? otherwise : Number(process.argv[at + 1]);
};
const puzzles = readFileSync(here("puzzles.jsonl"), "utf8").trim().split("\n").map((line) => JSON.parse(line)).slice(0, flag("puzzles", 500));
const references = Math.min(flag("reference", 24), puzzles.length);
const seed = flag("seed", 0);
const model = here("model.json");
const out = join(process.cwd(), "out", "sudoku");

console.log("$ dlmc compile examples/sudoku/model.json --target onnx -o out/sudoku");
const manifest = compile({ model, target: "onnx", outDir: out });
for (const { file, bytes } of manifest.graphs) console.log(`  ${file} ${bytes} bytes`);

console.log("$ dlmc check examples/sudoku/model.json --target onnx");
const report = await check({ model, target: "onnx" });
const values = report.graphs.flatMap((graph) => graph.values);
console.log(`  ${report.agrees ? "agrees" : "DISAGREES"}: ${values.length} values in ${report.graphs.length} graphs, ${report.trajectory.steps.length} steps\n`);

const { description } = loadModel({ model });
const noise = seededNoise(seed, puzzles.length, description.state_space.seq_len, description.embedding.dim)(0);

/** Solves the first `count` puzzles in batches; the final tokens and their least margins. */
async function solve(target, count, batch) {
  const session = await openSession({ model: target === "onnx" ? out : model, target });
  const { length, dim } = session.runner;
  const answers = [];
  for (let start = 0; start < count; start += batch) {
    const group = puzzles.slice(start, Math.min(start + batch, count));
    const given = group.map(({ puzzle }) => session.tokenizer.encode(puzzle, length));
    const fixed = { tokens: Int32Array.from(given.flatMap((g) => [...g.tokens])), mask: Uint8Array.from(given.flatMap((g) => [...g.mask])) };
    const slice = noise.slice(start * length * dim, (start + group.length) * length * dim);
    const last = await generateToEnd(session.runner, { plan: session.plan, batch: group.length, fixed, noise: () => slice });
    group.forEach((_, i) => {
      const row = (array) => array.slice(i * length, (i + 1) * length);
      answers.push({ text: session.tokenizer.decode(row(last.tokens)), margin: Math.min(...row(last.margins)) });
    });
  }
  await session.close();
  return answers;
}

/** The same puzzles and noise in PyTorch, or undefined where it is not installed. */
function pytorch() {
  const directory = mkdtempSync(join(tmpdir(), "dlmc-sudoku-"));
  try {
    if (spawnSync("/usr/bin/python3", ["-c", "import torch"]).status !== 0) return undefined;
    writeFileSync(join(directory, "noise.f32"), Buffer.from(noise.buffer, noise.byteOffset, noise.byteLength));
    const some = readFileSync(here("puzzles.jsonl"), "utf8").trim().split("\n").slice(0, puzzles.length).join("\n");
    writeFileSync(join(directory, "puzzles.jsonl"), `${some}\n`);
    const args = ["evaluate.py", "--puzzles", join(directory, "puzzles.jsonl"), "--noise", join(directory, "noise.f32"), "--answers", join(directory, "answers.txt")];
    const run = spawnSync("/usr/bin/python3", args, { cwd: here("."), encoding: "utf8" });
    if (run.status !== 0) throw new Error(run.stderr);
    return readFileSync(join(directory, "answers.txt"), "utf8").trim().split("\n");
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

const board = (text, size = Math.sqrt(text.length)) => Array.from({ length: size }, (_, r) => [...text.slice(r * size, (r + 1) * size)].join(" "));
const share = (answers) => {
  const solved = answers.filter((text, i) => text === puzzles[i].solution).length;
  return `${solved} of ${answers.length} (${((100 * solved) / answers.length).toFixed(1)} %)`;
};

const onnx = await solve("onnx", puzzles.length, 50);
const [first] = puzzles;
console.log(board(first.puzzle).map((row, r) => `  ${row}   ->   ${board(onnx[0].text)[r]}`).join("\n"), "\n");
console.log(`ONNX Runtime    solved ${share(onnx.map(({ text }) => text))}`);
const reference = await solve("reference", references, 8);
const differ = (answers) => answers.filter((text, i) => text !== onnx[i].text).length;
const least = Math.min(...reference.map(({ margin }) => margin));
console.log(`reference       solved ${share(reference.map(({ text }) => text))}; ${differ(reference.map(({ text }) => text))} differ from ONNX; least margin ${least.toPrecision(3)}`);
const torch = pytorch();
if (torch === undefined) console.log("PyTorch         not run: python3-torch missing");
else console.log(`PyTorch         solved ${share(torch)}; ${differ(torch)} differ from ONNX`);
if (!report.agrees) process.exitCode = 1;
