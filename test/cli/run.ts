// Runs the command line in this process and catches what it prints.
import { vi } from "vitest";
import { main } from "../../src/cli/program.js";

export interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export async function dlmc(...args: readonly string[]): Promise<Outcome> {
  const caught = { out: "", err: "" };
  const into = (key: "out" | "err") => (text: unknown) => {
    caught[key] += String(text);
    return true;
  };
  const out = vi.spyOn(process.stdout, "write").mockImplementation(into("out"));
  const err = vi.spyOn(process.stderr, "write").mockImplementation(into("err"));
  try {
    const code = await main(["node", "dlmc", ...args]);
    return { code, ...caught };
  } finally {
    out.mockRestore();
    err.mockRestore();
  }
}
