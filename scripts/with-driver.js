// Runs a Node program where WebGPU finds a Vulkan driver: the software one that scripts/install-webgpu-drivers.sh unpacked
// into .cache, if it did; DLMC_WEBGPU_DRIVER=system leaves the machine's own. A driver is chosen by variables that must
// stand before a process starts.
//   node scripts/with-driver.js PROGRAM [ARGUMENT ..]
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const file = fileURLToPath(new URL("../.cache/vk-ss/env.json", import.meta.url));
const driver =
  process.env.DLMC_WEBGPU_DRIVER !== "system" && existsSync(file)
    ? JSON.parse(readFileSync(file, "utf8"))
    : {};
const { status, signal } = spawnSync(process.execPath, process.argv.slice(2), {
  stdio: "inherit",
  env: { ...process.env, ...driver },
});
process.exitCode = signal === null ? status : 1;
