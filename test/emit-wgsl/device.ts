// WebGPU devices for tests, each in a process of its own: a Vulkan driver is chosen by environment variables
// that the loader reads when a process starts, and a driver that aborts must not take the tests along.

import { type ChildProcess, fork } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** lavapipe: f16, subgroups. swiftshader: neither. null: compiles with Tint and runs nothing. system: the machine's own. */
export type Driver = "lavapipe" | "swiftshader" | "null" | "system";

/**
 * The driver of the numeric tests at all sizes. SwiftShader compiles a kernel in milliseconds, lavapipe in seconds,
 * so lavapipe runs the gallery and what needs f16 or subgroups. `DLMC_WEBGPU_DRIVER=system` takes the machine's GPU.
 */
export const mainDriver = (process.env.DLMC_WEBGPU_DRIVER ?? "swiftshader") as Driver;

const root = fileURLToPath(new URL("../../", import.meta.url));
const folders: Partial<Record<Driver, string>> = { lavapipe: "vk-lvp", swiftshader: "vk-ss" };

/** The environment a process needs to see the driver; undefined when it is not installed. */
export function driverEnvironment(driver: Driver): Record<string, string> | undefined {
  if (driver === "null") return { DLMC_WEBGPU_BACKEND: "null" };
  const folder = folders[driver];
  if (folder === undefined) return {};
  const file = `${root}.cache/${folder}/env.json`;
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Record<string, string>) : undefined;
}

/** Says aloud that a tool is missing; in CI that is a failure. */
export function notRun(why: string): void {
  if (process.env.CI) throw new Error(`not run: ${why}; scripts/install-webgpu-drivers.sh`);
  console.log(`not run: ${why}; scripts/install-webgpu-drivers.sh`);
}

/** One dispatch: which of the run's buffers is bound where. */
export interface Dispatch {
  readonly code: string;
  readonly bindings: readonly { readonly buffer: number; readonly offset?: number; readonly size?: number }[];
  readonly grid: readonly [number, number, number];
}

export interface Memory {
  readonly bytes: number;
  /** Contents; zeros when left out. */
  readonly data?: Uint8Array;
}

export interface Device {
  readonly name: string;
  readonly features: readonly string[];
  readonly limits: Readonly<Record<string, number>>;
  /** Runs the dispatches in one submit and returns the contents of the buffers listed in `read`. */
  run(
    dispatches: readonly Dispatch[],
    buffers: readonly Memory[],
    read: readonly number[],
  ): Promise<Uint8Array[]>;
  /** What the front end says about each kernel; null where it is accepted. */
  compile(codes: readonly string[]): Promise<(string | null)[]>;
  /** Seconds per repetition. */
  time(dispatches: readonly Dispatch[], buffers: readonly Memory[], times: number): Promise<number>;
  close(): void;
}

/** Optional features a device is asked for where the adapter has them. */
const wanted = ["shader-f16", "subgroups", "timestamp-query"];

/**
 * A device under the driver. Where there is none: says `not run: .. missing` and returns undefined, but fails
 * when CI is set, so that nothing is skipped silently.
 */
export async function openDevice(
  driver: Driver,
  features: readonly string[] = wanted,
  environment: Readonly<Record<string, string>> = {},
): Promise<Device | undefined> {
  const driverVariables = driverEnvironment(driver);
  if (driverVariables === undefined) return missing(driver, "run scripts/install-webgpu-drivers.sh");
  // Mesa's cache does not tell vector widths apart.
  const { MESA_SHADER_CACHE_DIR: cache } = driverVariables;
  const { LP_NATIVE_VECTOR_WIDTH: width } = environment;
  const own = cache && width ? { MESA_SHADER_CACHE_DIR: `${cache}-${width}` } : {};
  const child = fork(`${root}test/emit-wgsl/device-worker.js`, {
    env: { ...process.env, ...driverVariables, ...environment, ...own },
    serialization: "advanced",
    stdio: ["ignore", "inherit", "pipe", "ipc"],
    execArgv: [],
  });
  let noise = "";
  child.stderr?.on("data", (chunk: Buffer) => {
    noise += chunk.toString();
  });
  const ask = asker(child, () => noise);
  const facts = (await ask("open", { features })) as Pick<Device, "name" | "features" | "limits"> | null;
  if (facts === null) {
    child.disconnect();
    return missing(driver, `Dawn found no adapter: ${noise.trim()}`);
  }
  return {
    ...facts,
    run: (dispatches, buffers, read) => ask("run", { dispatches, buffers, read }) as Promise<Uint8Array[]>,
    compile: (codes) => ask("compile", { codes }) as Promise<(string | null)[]>,
    time: (dispatches, buffers, times) => ask("time", { dispatches, buffers, times }) as Promise<number>,
    close: () => child.disconnect(),
  };
}

function missing(driver: Driver, why: string): undefined {
  const message = `not run: WebGPU driver ${driver} missing (${why})`;
  if (process.env.CI) throw new Error(message);
  console.warn(message);
  return undefined;
}

/** Sends tasks to the child and matches its answers. */
function asker(
  child: ChildProcess,
  noise: () => string,
): (task: string, payload: unknown) => Promise<unknown> {
  const waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  let next = 0;
  let ended: Error | undefined;
  child.on("message", (message) => {
    const { id, value, error } = message as { id: number; value?: unknown; error?: string };
    const entry = waiting.get(id);
    waiting.delete(id);
    if (error === undefined) entry?.resolve(value);
    else entry?.reject(new Error(error));
  });
  child.on("exit", (code, signal) => {
    ended = new Error(`the WebGPU process ended (${signal ?? code}): ${noise()}`);
    for (const { reject } of waiting.values()) reject(ended);
    waiting.clear();
  });
  return (task, payload) =>
    new Promise((resolve, reject) => {
      if (ended !== undefined) return reject(ended);
      const id = next++;
      waiting.set(id, { resolve, reject });
      child.send({ id, task, payload });
    });
}
