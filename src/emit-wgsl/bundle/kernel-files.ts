// Kernels as files: equal code is one file, and a name that two codes share gets a number. A form that needs features is
// a file beside the plain one, named after them.

import { createHash } from "node:crypto";
import type { Kernel } from "../kernel.js";
import { featureNames } from "../limits.js";
import type { WgslKernelFile } from "./manifest.js";

export interface KernelFiles {
  /** The kernel's index in the manifest; `forms`: its code for devices with more features, best first. */
  add(kernel: Kernel, forms: readonly Kernel[]): number;
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
    add({ name, code, bindings, workgroupSize, workgroupBytes }, forms) {
      const codes = new Map([code, ...forms.map((form) => form.code)].map((text, k) => [text, k - 1]));
      codes.delete(code);
      const key = [code, ...codes.keys()].join("\0");
      const known = byCode.get(key);
      if (known !== undefined) return known;
      const file = freeName(name, files);
      const write = (path: string, text: string): { file: string; sha256: string } => {
        files.set(path, text);
        return { file: path, sha256: createHash("sha256").update(text).digest("hex") };
      };
      const plain = write(file, code);
      const others = [...codes].map(([text, k]) => {
        const { features } = forms[k]!;
        const path = file.replace(/wgsl$/, `${features.join(".")}.wgsl`);
        return { features: features.map((feature) => featureNames[feature]), ...write(path, text) };
      });
      byCode.set(key, entries.length);
      entries.push({
        ...plain,
        ...(others.length > 0 && { forms: others }),
        bindings: bindings.map(({ access }) => access),
        workgroupSize,
        workgroupBytes: Math.max(workgroupBytes, ...forms.map((form) => form.workgroupBytes)),
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
