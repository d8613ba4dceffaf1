// npm run verses: compiles the trained text model to ONNX and fills blanks of held-out text with ONNX Runtime, with the
// float64 reference and, where python3-torch is installed, with PyTorch, all from the same noise.
//   node examples/verses/run.js [--texts 20] [--seed 0]
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openSession } from "../../dist/index.js";
import { generateToEnd, seededNoise } from "../../dist/runtime/index.js";

const here = (file) => fileURLToPath(new URL(file, import.meta.url));
const flag = (name, otherwise) => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? otherwise : Number(process.argv[at + 1]);
};
const texts = readFileSync(here("held_out.jsonl"), "utf8").trim().split("\n").map((line) => JSON.parse(line)).slice(0, flag("texts", 20));
const seed = flag("seed", 0);
const model = here("model.json");

/** The same third of the characters of every text blank: every third one from a place that depends on the text. */
const prompts = texts.map((text, i) => [...text].map((c, at) => ((at * 7 + i) % 10 < 3 ? "_" : c)).join(""));

async function fill(target) {
  const session = await openSession({ model, target });
  const { length, dim } = session.runner;
  const given = prompts.map((prompt) => session.tokenizer.encode(prompt, length));
  const fixed = { tokens: Int32Array.from(given.flatMap((g) => [...g.tokens])), mask: Uint8Array.from(given.flatMap((g) => [...g.mask])) };
  const noise = seededNoise(seed, texts.length, length, dim)(0);
  const last = await generateToEnd(session.runner, { plan: session.plan, batch: texts.length, fixed, noise: () => noise });
  await session.close();
  const row = (array, i) => array.slice(i * length, (i + 1) * length);
  return { noise, fixed, texts: texts.map((_, i) => session.tokenizer.decode(row(last.tokens, i))), margin: Math.min(...last.margins) };
}

/** The same in PyTorch, or undefined where it is not installed. */
function pytorch({ noise, fixed }) {
  const directory = mkdtempSync(join(tmpdir(), "dlmc-verses-"));
  try {
    if (spawnSync("/usr/bin/python3", ["-c", "import torch"]).status !== 0) return undefined;
    writeFileSync(join(directory, "noise.f32"), Buffer.from(noise.buffer, noise.byteOffset, noise.byteLength));
    writeFileSync(join(directory, "given.json"), JSON.stringify([...fixed.mask]));
    const args = ["evaluate.py", "--noise", join(directory, "noise.f32"), "--given", join(directory, "given.json"), "--count", String(texts.length)];
    const run = spawnSync("/usr/bin/python3", args, { cwd: here("."), encoding: "utf8" });
    if (run.status !== 0) throw new Error(run.stderr);
    return JSON.parse(run.stdout).texts;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

const share = (filled) => {
  const blanks = prompts.flatMap((prompt, i) => [...prompt].flatMap((c, at) => (c === "_" ? [filled[i][at] === texts[i][at]] : [])));
  const right = blanks.filter(Boolean).length;
  return `${right} of ${blanks.length} blanks right (${((100 * right) / blanks.length).toFixed(1)} %)`;
};
const differing = (a, b) => a.filter((text, i) => text !== b[i]).length;

const onnx = await fill("onnx");
for (const i of [0, 1, 2]) console.log(`  ${prompts[i]}\n  ${onnx.texts[i]}\n  ${texts[i]}\n`);
const reference = await fill("reference");
console.log(`ONNX Runtime    ${share(onnx.texts)}`);
console.log(`reference       ${share(reference.texts)}; ${differing(reference.texts, onnx.texts)} texts differ from ONNX; least margin ${onnx.margin.toPrecision(3)}`);
const torch = pytorch(onnx);
console.log(torch === undefined ? "not run: PyTorch missing (scripts/install-test-packages.sh)" : `PyTorch         ${share(torch)}; ${differing(torch, onnx.texts)} texts differ from ONNX`);
