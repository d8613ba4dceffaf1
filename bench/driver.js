// A Vulkan driver is chosen by variables that must stand before a process starts: a benchmark that wants one runs itself
// again with them.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const folders = { lavapipe: "vk-lvp", swiftshader: "vk-ss" };

/**
 * Returns in the process that has the driver (`system`: the machine's own), and runs `program`, the URL of the benchmark,
 * there otherwise. Exits with 5 where the driver is missing; `instead` is another way for the user.
 */
export function underDriver(driver, program, instead = "") {
  if (driver === "system" || process.env.DLMC_BENCH_DRIVER === driver) return;
  const file = fileURLToPath(
    new URL(`../.cache/${folders[driver] ?? folders.swiftshader}/env.json`, import.meta.url),
  );
  if (!existsSync(file)) {
    console.log(`not run: ${driver} missing; scripts/install-webgpu-drivers.sh${instead}`);
    process.exit(5);
  }
  const env = { ...process.env, ...JSON.parse(readFileSync(file, "utf8")), DLMC_BENCH_DRIVER: driver };
  const args = [fileURLToPath(program), ...process.argv.slice(2)];
  const { status } = spawnSync(process.execPath, args, { stdio: "inherit", env });
  process.exit(status ?? 1);
}
