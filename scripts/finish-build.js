// What the TypeScript compiler leaves out of dist/: the generated validator, the texts of WGSL bundles, and the
// command's executable bit.
import { chmodSync, copyFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const at = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));
for (const file of ["validate.js", "validate.d.ts"])
  copyFileSync(at(`src/description/generated/${file}`), at(`dist/description/generated/${file}`));
for (const file of ["index.d.ts", "demo.html"])
  copyFileSync(at(`src/emit-wgsl/page/${file}`), at(`dist/emit-wgsl/page/${file}`));
await import("./link-runtime.js");
chmodSync(at("dist/cli/main.js"), 0o755);
