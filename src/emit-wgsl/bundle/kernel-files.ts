// Kernels as files: equal code is one file, and a name that two codes share gets a number.

import { createHash } from "node:crypto";
import type { Kernel } from "../kernel.js";
import type { WgslKernelFile } from "./manifest.js";

export interface KernelFiles {
  /** The kernel's index in the manifest. */
  add(kernel: Kernel): number;
  readonly entries: readonly WgslKernelFile[];
  /** File name -> code. */
  readonly files: ReadonlyMap<string, string>;
}

export function kernelFiles(): KernelFiles {
  const byCode = new Map<string, number>();
  const entries: WgslKernelFile[] = [];
  const files = new Map<string, string>();
  return {
    entries,
    files,
    add({ name, code, bindings, workgroupSize, workgroupBytes }) {
      const known = byCode.get(code);
      if (known !== undefined) return known;
      const file = freeName(name, files);
      files.set(file, code);
      byCode.set(code, entries.length);
      entries.push({
        file,
        sha256: createHash("sha256").update(code).digest("hex"),
        bindings: bindings.map(({ access }) => access),
        workgroupSize,
        workgroupBytes,
      });
      return entries.length - 1;
    },
  };
}

function freeName(name: string, files: ReadonlyMap<string, string>): string {
  const base = name.replace(/[^A-Za-z0-9_.-]+/g, "_").slice(0, 80);
  for (let k = 1; ; k++) {
    const file = `kernels/${base}${k === 1 ? "" : `_${k}`}.wgsl`;
    if (!files.has(file)) return file;
  }
}
