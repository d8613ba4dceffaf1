// Whether a device with given limits can hold and bind every buffer of a fused module: what cannot fit is said
// when compiling, not by a lost device.

import { type Module, nowhere, type Op, present, type Value } from "../ir/graph.js";
import { isPart } from "../ir/part.js";
import { typeText } from "../ir/type.js";
import { type Diagnostic, DlmcError, exitCodes } from "../support/diagnostic.js";
import { isFused } from "./fuse.js";
import { bytesOf } from "./memory/plan-memory.js";
import type { Pass } from "./pass.js";
import { type DeviceLimits, defaultDeviceLimits } from "./split-for-limits.js";

/** Throws DlmcError `limits/binding` or `limits/buffer` (exit code 3) naming ops, sizes and limits. */
export function checkLimits(limits: DeviceLimits = defaultDeviceLimits): Pass {
  return {
    name: "check-limits",
    summary: "refuse a module whose buffers a device with these limits cannot hold or bind",
    run(module) {
      const problems = limitProblems(module, limits);
      if (problems.length > 0) throw new DlmcError(problems, exitCodes.unsupported);
      return module;
    },
  };
}

/** Every value that is too large, once, at the op that makes it (or first reads it). Extents must be bound. */
export function limitProblems(module: Module, limits: DeviceLimits = defaultDeviceLimits): Diagnostic[] {
  const problems: Diagnostic[] = [];
  for (const graph of module.graphs.filter((g) => !isFused(g))) {
    const known = new Set<Value>();
    const look = (value: Value, op: Op | undefined, binds: boolean): void => {
      if (!value.type.shape.every((extent) => extent.value !== undefined)) return;
      const limit = binds ? "maxStorageBufferBindingSize" : "maxBufferSize";
      const bytes = bytesOf(value);
      if (bytes <= limits[limit] || known.has(value)) return;
      known.add(value);
      const what = op === undefined ? "input" : op.name === "call" ? "kernel" : op.name;
      problems.push({
        severity: "error",
        code: binds ? "limits/binding" : "limits/buffer",
        message: `${value.hint ?? "a value"}, ${typeText(value.type)} of ${what} in @${graph.name}, takes ${bytes} bytes; a device with this target's limits ${binds ? "binds" : "holds"} at most ${limits[limit]} (${limit})`,
        pointer: (op?.loc ?? nowhere).pointer,
        help: "compile for a shorter sequence or a smaller batch, or raise the limit if every device it is for allows more",
      });
    };
    for (const value of graph.inputs)
      look(
        value,
        undefined,
        graph.ops.some((op) => !isPart(op) && present(op).includes(value)),
      );
    for (const op of graph.ops)
      for (const value of op.results)
        look(
          value,
          op,
          op.name !== "weight" || graph.ops.some((o) => !isPart(o) && present(o).includes(value)),
        );
  }
  return problems;
}
