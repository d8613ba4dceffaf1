// Links the compiled modules behind dist/runtime/webgpu/standalone*.js into one ES module each
// without imports, in dist/runtime/: the index.js of WGSL bundles with a continuous state, with a simplex, with a discrete
// state that is drawn, drawn from scores, drawn and revised, uncovered one by one or decoded by confidence, each with and without settled blocks that are kept, and of those
// that attend to an encoder; and their plan.js, which makes plans for other numbers of steps. The
// linker's version is pinned, so the text is the same wherever the package is built.
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";

const dist = fileURLToPath(new URL("../dist/", import.meta.url));
const loops = [
  "",
  "-simplex",
  "-tokens",
  "-tokens-cached",
  "-scores",
  "-scores-cached",
  "-revised",
  "-revised-cached",
  "-first-hitting",
  "-first-hitting-cached",
  "-confidence",
  "-confidence-cached",
  "-encoder",
  "-tokens-encoder",
  "-scores-encoder",
  "-revised-encoder",
  "-first-hitting-encoder",
  "-confidence-encoder",
  "-simplex-encoder",
  "-plan",
];
for (const loop of loops) await link(`standalone${loop}.js`);

/** One entry as one file. */
async function link(name) {
  const build = await rolldown({
    input: `${dist}runtime/webgpu/${name}`,
    platform: "browser",
    // A package that slipped in would be left as an import, which no page could load.
    onLog(level, log) {
      if (level === "warn") throw new Error(log.message);
    },
  });
  const { output } = await build.generate({ format: "esm", minify: true, codeSplitting: false });
  await build.close();
  const [{ code, imports }] = output;
  if (output.length !== 1 || imports.length > 0) throw new Error(`the runtime imports ${imports}`);
  writeFileSync(
    `${dist}runtime/${name}`,
    `// dlmc: the model beside this file on WebGPU. How to use it is in index.d.ts.\n${code}`,
  );
}
