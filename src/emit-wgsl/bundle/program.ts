// A planned graph as a list of dispatches: every call of a fused group and every op alone becomes the dispatches of
// its kernel. Views are other names of the same bytes and cost nothing; constants become tensors of the bundle.

import { evaluate } from "../../ir/evaluate.js";
import {
  findGraph,
  type Graph,
  type Module,
  noWeights,
  type Op,
  present,
  type Value,
} from "../../ir/graph.js";
import { definitionOf } from "../../ir/ops/index.js";
import { isPart, partOffset } from "../../ir/part.js";
import { numbersPer, tensor } from "../../ir/tensor.js";
import { bug, type Report } from "../../support/diagnostic.js";
import { shaped } from "../element.js";
import { groupOfOp, groupProblem, lowerGroup } from "../group.js";
import type { BufferRole, Implementation, Kernel } from "../kernel.js";
import type { Environment, Features } from "../limits.js";
import { storageBytes, type WeightPool } from "./weight-pool.js";

/** Memory that bindings name: an input of the graph, a tensor of the bundle, or a value to be placed in an arena. */
export type Slot =
  | { readonly kind: "input"; readonly name: string; readonly bytes: number }
  | { readonly kind: "weight"; readonly name: string; readonly bytes: number }
  | { readonly kind: "value"; readonly bytes: number }
  /** A slice that lies where it lies. */
  | {
      readonly kind: "part";
      readonly of: Exclude<Slot, { kind: "part" }>;
      readonly offset: number;
      readonly bytes: number;
    };

export interface ProgramDispatch {
  readonly kernel: Kernel;
  /** The same dispatch for devices with more features, best first. */
  readonly forms: readonly Kernel[];
  /** By position of the kernel's bindings. */
  readonly slots: readonly Slot[];
  readonly pointer: string;
}

export interface Program {
  readonly graph: Graph;
  readonly inputs: readonly Slot[];
  readonly outputs: readonly Slot[];
  readonly dispatches: readonly ProgramDispatch[];
}

/** A group as what runs everywhere, and as what runs with more features. */
export interface LoweredGroup {
  readonly plain: Implementation;
  readonly forms: readonly Implementation[];
}

export interface ProgramContext {
  readonly module: Module;
  readonly environment: Environment;
  /** Features that kernels may have a form for, best first. */
  readonly forms: readonly Features[];
  readonly pool: WeightPool;
  /** Tells apart constants of several lengths. */
  readonly suffix: string;
  readonly report: Report;
  /** Dispatches by group: equal blocks call the same one. */
  readonly lowered: Map<Graph, LoweredGroup>;
}

/** The dispatches of a graph. Ops without a kernel are reported as `wgsl/no-kernel`. */
export function programOf(graph: Graph, context: ProgramContext): Program {
  const slots = new Map<Value, Slot>();
  const dispatches: ProgramDispatch[] = [];
  const names = new Set<string>();
  const inputs = graph.inputs.map((value, i): Slot => {
    const hint = value.hint ?? `input${i}`;
    const name = names.has(hint) ? `${hint}.${i}` : hint;
    names.add(name);
    const slot = { kind: "input", name, bytes: bytesOf(value) } as const;
    slots.set(value, slot);
    return slot;
  });
  for (const op of graph.ops) lowerOp(op, graph, slots, dispatches, context);
  return { graph, inputs, outputs: graph.outputs.map((value) => slots.get(value)!), dispatches };
}

function lowerOp(
  op: Op,
  graph: Graph,
  slots: Map<Value, Slot>,
  dispatches: ProgramDispatch[],
  context: ProgramContext,
): void {
  const { module, pool, report } = context;
  if (op.name === "weight") {
    const [value] = op.results as [Value];
    const name = op.attributes.name as string;
    const { element, shape } = shaped(value);
    slots.set(
      value,
      weightSlot(
        pool.add(name, element, shape, () => module.weights.read(name), context.suffix),
        pool,
      ),
    );
    return;
  }
  if (definitionOf(op.name)!.fusion === "constant" && present(op).length === 0) {
    for (const value of op.results) slots.set(value, constantSlot(op, value, context));
    return;
  }
  if (op.name === "reshape") {
    slots.set(op.results[0]!, slots.get(op.operands[0]!)!);
    return;
  }
  const part = partOf(op, slots);
  if (part !== undefined) {
    slots.set(op.results[0]!, part);
    return;
  }
  const callee = op.name === "call" ? findGraph(module, op.attributes.graph as string)! : undefined;
  if (callee !== undefined && groupProblem(callee) !== undefined) {
    // Not a group: a graph of its own, whose ops stand here.
    callee.inputs.forEach((value, i) => {
      slots.set(value, slots.get(op.operands[i]!)!);
    });
    for (const inner of callee.ops) lowerOp(inner, callee, slots, dispatches, context);
    op.results.forEach((value, i) => {
      slots.set(value, slots.get(callee.outputs[i]!)!);
    });
    return;
  }
  const group = callee ?? plainNames(groupOfOp(op));
  const problem = callee === undefined ? groupProblem(group) : undefined;
  if (problem !== undefined) {
    report.error("wgsl/no-kernel", `${problem} (graph @${graph.name})`, { pointer: op.loc.pointer });
    for (const value of op.results) slots.set(value, { kind: "value", bytes: bytesOf(value) });
    return;
  }
  const lowered = context.lowered.get(group) ?? withForms(group, context);
  context.lowered.set(group, lowered);
  const { plain: implementation } = lowered;
  const operands = callee === undefined ? [...new Set(present(op))] : (op.operands as readonly Value[]);
  for (const value of op.results) slots.set(value, { kind: "value", bytes: bytesOf(value) });
  const scratch = implementation.scratch.map(
    ({ element, length }): Slot => ({ kind: "value", bytes: storageBytes(element, [length]) }),
  );
  const table = (name: string): Slot => {
    const { element, values } = implementation.tables.find((t) => t.name === name)!;
    const shape = [values.length / numbersPer(element)];
    const stored = pool.add(`table.${name}`, element, shape, () => tensor(element, shape, values));
    return weightSlot(stored, pool);
  };
  const slotOf = (role: BufferRole): Slot => {
    if (role.kind === "operand") return slots.get(operands[role.index]!)!;
    if (role.kind === "result") return slots.get(op.results[role.index]!)!;
    return role.kind === "scratch" ? scratch[role.index]! : table(role.name);
  };
  implementation.kernels.forEach((kernel, k) => {
    const bound = kernel.bindings.map(({ role }) => slotOf(role));
    const forms = lowered.forms.map(({ kernels }) => kernels[k]!);
    dispatches.push({ kernel, forms, slots: bound, pointer: op.loc.pointer });
  });
}

function withForms(group: Graph, { environment, forms }: ProgramContext): LoweredGroup {
  const plain = lowerGroup(group, environment);
  const made = forms.map((features) => lowerGroup(group, { ...environment, features }));
  // A form is other code for the same buffers and workgroups: the manifest names those once.
  const facts = ({ kernels }: Implementation): string =>
    JSON.stringify(kernels.map(({ bindings, grid, workgroupSize }) => ({ bindings, grid, workgroupSize })));
  if (made.some((form) => facts(form) !== facts(plain))) bug(`@${group.name} has forms of several shapes`);
  return { plain, forms: made };
}

/** The graph without block numbers in its names, so that equal blocks have equal kernels. */
function plainNames(graph: Graph): Graph {
  const renamed = new Map<Value, Value>();
  const plain = (value: Value): Value => {
    const hint = value.hint?.replace(/^folded\./, "").replace(/^blocks\.\d+\./, "");
    const made = renamed.get(value) ?? { type: value.type, hint };
    renamed.set(value, made);
    return made;
  };
  return {
    ...graph,
    inputs: graph.inputs.map(plain),
    ops: graph.ops.map((op) => ({
      ...op,
      operands: op.operands.map((v) => v && plain(v)),
      results: op.results.map(plain),
    })),
    outputs: graph.outputs.map(plain),
    outputNames: graph.outputs.map((value, k) => plain(value).hint ?? (k === 0 ? "y" : `y${k}`)),
  };
}

/** The slot of a slice that can be bound where it lies. */
function partOf(op: Op, slots: ReadonlyMap<Value, Slot>): Slot | undefined {
  if (!isPart(op)) return undefined;
  const outer = slots.get(op.operands[0]!)!;
  const base = outer.kind === "part" ? outer : { of: outer, offset: 0 };
  return { kind: "part", of: base.of, offset: base.offset + partOffset(op)!, bytes: bytesOf(op.results[0]!) };
}

function weightSlot(name: string, pool: WeightPool): Slot {
  return { kind: "weight", name, bytes: pool.bytes(name) };
}

/** A constant of the text that a dispatch or an output needs as memory. */
function constantSlot(op: Op, value: Value, { pool, suffix }: ProgramContext): Slot {
  const { element, shape } = shaped(value);
  const graph: Graph = { name: "constant", inputs: [], ops: [op], outputs: [value], outputNames: ["y"] };
  const read = () => evaluate({ dims: new Map(), graphs: [graph], weights: noWeights }, "constant", [])[0]!;
  const numbers = JSON.stringify(op.attributes.values ?? op.attributes.value ?? "iota");
  const name = `constant.${element}_${shape.join("x") || "scalar"}_${hash(numbers)}`;
  return weightSlot(pool.add(name, element, shape, read, suffix), pool);
}

/** FNV-1a, eight hexadecimal digits: a short name for a list of numbers. */
function hash(text: string): string {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  return (h >>> 0).toString(16).padStart(8, "0");
}

function bytesOf(value: Value): number {
  const { element, shape } = shaped(value);
  return storageBytes(element, shape);
}
