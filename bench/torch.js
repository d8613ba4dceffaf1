// The torch side runs in a child process that answers one line per command, so that rounds can alternate.

import { spawn, spawnSync } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** The first Python that has torch: $PYTHON, python3, or the system's own. */
function pythonWithTorch() {
  const names = [process.env.PYTHON, "python3", "/usr/bin/python3"].filter((name) => name !== undefined);
  return names.find((name) => spawnSync(name, ["-c", "import torch"]).status === 0);
}

/** A running torch, or undefined where there is none. */
export function startTorch() {
  const python = pythonWithTorch();
  if (python === undefined) return undefined;
  const script = fileURLToPath(new URL("torch_layer.py", import.meta.url));
  const env = { ...process.env, OMP_NUM_THREADS: "1", OPENBLAS_NUM_THREADS: "1", MKL_NUM_THREADS: "1" };
  const child = spawn(python, [script], { stdio: ["pipe", "pipe", "inherit"], env });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    async ask(command) {
      child.stdin.write(`${JSON.stringify(command)}\n`);
      const { value, done } = await lines.next();
      if (done) throw new Error("the torch process ended");
      return JSON.parse(value);
    },
    stop: () => child.stdin.end(),
  };
}
