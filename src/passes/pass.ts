// What a pass is and how passes run: each is verified before the next, and on request evaluated in float64 so
// that a pass that changed a value is named together with the op.

import type { Module } from "../ir/graph.js";
import { printModule } from "../ir/print.js";
import type { Tensor } from "../ir/tensor.js";
import { verify } from "../ir/verify.js";
import { bug } from "../support/diagnostic.js";

export interface Pass {
  /** kebab-case; the file is `<name>.ts`, its test `<name>.ir`. */
  readonly name: string;
  /** One line for `dlmc opt --list`. */
  readonly summary: string;
  /** What must have run before, by name. */
  readonly requires?: readonly string[];
  run(module: Module): Module;
  /**
   * For passes that change what a graph takes: inputs by name that mean the same before and after. `given` are
   * those of the graph before; `before` may replace some of them (a level by one that the table holds).
   */
  relateInputs?(
    graph: string,
    given: NamedTensors,
    result: Module,
  ): { before: NamedTensors; after: NamedTensors };
}

export type NamedTensors = ReadonlyMap<string, Tensor>;

export interface RunOptions {
  /** Called after each pass with the module before and after; used by --check-passes and --print-after. */
  readonly after?: (pass: Pass, before: Module, result: Module) => void;
}

/** Runs passes in order. A pass that breaks a rule of the IR is a bug in that pass; the report holds its input. */
export function runPasses(module: Module, passes: readonly Pass[], options: RunOptions = {}): Module {
  const done = new Set<string>();
  let current = module;
  for (const pass of passes) {
    const missing = (pass.requires ?? []).filter((name) => !done.has(name));
    if (missing.length > 0) bug(`pass ${pass.name} needs ${missing.join(", ")} to run before it`);
    const result = pass.run(current);
    const [problem] = verify(result);
    if (problem !== undefined) {
      const text = printModule(result, {
        annotate: (op) => (op === problem.op ? [`^ ${problem.label}: ${problem.message}`] : []),
      });
      bug(
        `pass ${pass.name} broke ${problem.label} in @${problem.graph}: ${problem.message}`,
        `; before ${pass.name}\n${printModule(current)}\n; after ${pass.name}\n${text}`,
      );
    }
    options.after?.(pass, current, result);
    done.add(pass.name);
    current = result;
  }
  return current;
}
