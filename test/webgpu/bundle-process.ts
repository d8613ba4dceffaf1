// Bundles in a temporary directory, and the process that runs them on a WebGPU driver.

import { fork } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type CompileOptions, compile } from "../../src/api/compile.js";
import type { FixedTokens, ModelGenerateOptions } from "../../src/runtime/index.js";
import { type Driver, driverEnvironment } from "../emit-wgsl/device.js";

export const root = fileURLToPath(new URL("../../", import.meta.url));
export const sudoku = join(root, "examples/sudoku/model.json");
export const descriptionOf = (name: string): string => join(root, `test/description/models/${name}.json`);

/** Compiles a bundle; `remove` deletes its directory. */
export function bundle(options: Omit<CompileOptions, "target">): { directory: string; remove(): void } {
  const parent = mkdtempSync(join(tmpdir(), "dlmc-wgsl-"));
  const directory = join(parent, "bundle");
  compile({ target: "wgsl", ...options, outDir: directory });
  return { directory, remove: () => rmSync(parent, { recursive: true }) };
}

/** Says that a test has not run, aloud; fails where CI is set. */
export function notRun(what: string, why: string): undefined {
  const message = `not run: ${what} missing (${why})`;
  if (process.env.CI) throw new Error(message);
  console.warn(message);
  return undefined;
}

export interface Failure {
  readonly codes: readonly string[];
  readonly message: string;
  readonly left: number;
  /** Buffers of the model, where it loaded after all. */
  readonly whole?: number;
}

export interface Generated {
  /** Tokens after every step and the final ones. */
  readonly tokens: readonly number[][];
  readonly margins: readonly number[] | null;
  /** Of a model of latents. */
  readonly latents?: readonly number[];
  /** Files of the kernels that ran, where the device has timestamps. */
  readonly kernels?: readonly string[];
}

export interface BundleProcess {
  generate(payload: {
    directory: string;
    options?: Pick<ModelGenerateOptions, "seed" | "prompt" | "steps" | "fixed" | "classes">;
    driver?: boolean;
  }): Promise<Generated>;
  /** One generation after the other on a model that is loaded once. */
  generateEach(payload: {
    directory: string;
    options: readonly { seed: number; fixed?: FixedTokens }[];
  }): Promise<{ tokens: number[][]; margins: number[] | null; logits: number[] | null }[]>;
  loadFailure(payload: { directory: string; abortAfter?: number }): Promise<Failure>;
  misuse(payload: { directory: string }): Promise<Readonly<Record<string, Failure | string | number | null>>>;
  twoLoads(payload: {
    directory: string;
    /** Number of the second load's buffer at which memory ends; none when left out. */
    failing?: number;
    options: { seed: number; steps: number };
  }): Promise<{
    codes: string[][];
    /** Buffers that lived when both loads had ended, per model that loaded. */
    leftOfOne: number;
    tokens: number[][];
    left: number;
    /** Error scopes that nobody closed. */
    open: number;
  }>;
  timesWithout(payload: {
    directory: string;
  }): Promise<{ asked: string[]; generates: boolean; times: unknown }>;
  close(): void;
}

/** A process under the driver; undefined where there is none. */
export async function bundleProcess(driver: Driver): Promise<BundleProcess | undefined> {
  const environment = driverEnvironment(driver);
  if (environment === undefined)
    return notRun(`WebGPU driver ${driver}`, "run scripts/install-webgpu-drivers.sh");
  const child = fork(join(root, "test/webgpu/worker.js"), {
    env: { ...process.env, ...environment },
    serialization: "advanced",
    stdio: ["ignore", "inherit", "pipe", "ipc"],
    execArgv: [],
  });
  let noise = "";
  child.stderr?.on("data", (chunk: Buffer) => {
    noise += chunk.toString();
  });
  let next = 0;
  const ask = (task: string, payload: object): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const id = next++;
      const ended = (code: number | null, signal: string | null): void =>
        reject(new Error(`the WebGPU process ended (${signal ?? code}): ${noise}`));
      const answered = (message: unknown): void => {
        const { id: of, value, error } = message as { id: number; value?: unknown; error?: string };
        if (of !== id) return;
        child.off("message", answered);
        child.off("exit", ended);
        if (error === undefined) resolve(value);
        else reject(new Error(error));
      };
      child.on("message", answered);
      child.on("exit", ended);
      child.send({ id, task, payload });
    });
  if ((await ask("open", {})) === null) {
    child.disconnect();
    return notRun(`WebGPU driver ${driver}`, `Dawn found no adapter: ${noise.trim()}`);
  }
  return {
    generate: (payload) => ask("generate", payload) as Promise<Generated>,
    generateEach: (payload) => ask("generateEach", payload) as ReturnType<BundleProcess["generateEach"]>,
    loadFailure: (payload) => ask("loadFailure", payload) as Promise<Failure>,
    misuse: (payload) => ask("misuse", payload) as ReturnType<BundleProcess["misuse"]>,
    twoLoads: (payload) => ask("twoLoads", payload) as ReturnType<BundleProcess["twoLoads"]>,
    timesWithout: (payload) => ask("timesWithout", payload) as ReturnType<BundleProcess["timesWithout"]>,
    close: () => child.disconnect(),
  };
}
