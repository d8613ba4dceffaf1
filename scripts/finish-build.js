// What the TypeScript compiler leaves out of dist/: the generated validator, and the command's executable bit.
import { chmodSync, copyFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const at = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));
for (const file of ["validate.js", "validate.d.ts"])
  copyFileSync(at(`src/description/generated/${file}`), at(`dist/description/generated/${file}`));
chmodSync(at("dist/cli/main.js"), 0o755);
