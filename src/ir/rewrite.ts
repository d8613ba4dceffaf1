// The one walk all rewriting passes use: a new graph is built op by op, and a rule may put other values in the
// place of an op's results.

import { bug } from "../support/diagnostic.js";
import { makeOp, throwingCheck } from "./build.js";
import type { Attributes, Graph, Loc, Module, Op, Value } from "./graph.js";
import { operandName, operandRecord } from "./op.js";
import type { AttributeInputs, AttributeValues, Operands, OpName } from "./ops/index.js";
import { definitionOf } from "./ops/index.js";
import { sameType, typeText } from "./type.js";

/** Emits ops into the graph being rebuilt. New ops carry the place of the op they replace. */
export interface Rewriter {
  emit<N extends OpName>(
    name: N,
    operands: Operands<N, Value>,
    attributes: AttributeInputs<N>,
    hint?: string,
  ): Value;
  /** The op again on other operands (all results), typed anew. */
  copy(op: Op, operands: readonly (Value | undefined)[], attributes?: Attributes): readonly Value[];
  /** The op that makes a value in the graph so far; undefined for inputs. */
  producer(value: Value): Op | undefined;
  readonly module: Module;
  readonly graph: Graph;
}

/** Whatever emits ops: a rewriter, or a builder. */
export type Emitter = Pick<Rewriter, "emit">;

/** Returns the values that replace the op's results, or undefined to keep the op. */
export type Rule = (op: Op, rewriter: Rewriter) => readonly Value[] | undefined;

/** A rule for one op, typed: `rule("neg", ({ x }, attributes, rewriter, op) => [..])`. */
export function rule<N extends OpName>(
  name: N,
  body: (
    operands: Operands<N, Value>,
    attributes: AttributeValues<N>,
    rewriter: Rewriter,
    op: Op,
  ) => readonly Value[] | undefined,
): Rule {
  return (op, rewriter) =>
    op.name === name
      ? body(
          operandRecord(definitionOf(name)!.operands, op.operands) as Operands<N, Value>,
          op.attributes as AttributeValues<N>,
          rewriter,
          op,
        )
      : undefined;
}

/** Rebuilds every graph of the module with the rules; the first rule that answers wins. `pass` is noted in Loc.via. */
export function rewriteModule(module: Module, pass: string, rules: readonly Rule[]): Module {
  const graphs: Graph[] = [];
  let changed = false;
  for (const graph of module.graphs) {
    const rebuilt = rewriteGraph(
      { ...module, graphs: [...graphs, ...module.graphs.slice(graphs.length)] },
      graph,
      pass,
      rules,
    );
    changed ||= rebuilt !== graph;
    graphs.push(rebuilt);
  }
  return changed ? { ...module, graphs } : module;
}

/** Rebuilds one graph; the same object when no rule answered. */
export function rewriteGraph(module: Module, graph: Graph, pass: string, rules: readonly Rule[]): Graph {
  const replaced = new Map<Value, Value>();
  const producers = new Map<Value, Op>();
  const ops: Op[] = [];
  const check = throwingCheck((name) => module.graphs.find((g) => g.name === name));
  let changed = false;
  const push = (op: Op): void => {
    ops.push(op);
    for (const result of op.results) producers.set(result, op);
  };
  for (const original of graph.ops) {
    const op = withOperands(original, replaced);
    const loc: Loc = {
      pointer: op.loc.pointer,
      via: op.loc.via.includes(pass) ? op.loc.via : [pass, ...op.loc.via],
    };
    const rewriter: Rewriter = {
      module,
      graph,
      producer: (value) => producers.get(value),
      emit(name, operands, attributes, hint) {
        const definition = definitionOf(name)!;
        const record = operands as Readonly<Record<string, Value | readonly Value[] | undefined>>;
        const first = definition.operands[0];
        const list = first?.endsWith("*")
          ? (record[operandName(first)] as readonly Value[])
          : definition.operands.map((slot) => record[operandName(slot)] as Value | undefined);
        const made = makeOp(name, list, attributes as unknown as Attributes, loc, check, [hint]);
        push(made);
        return made.results[0]!;
      },
      copy(source, operands, attributes = source.attributes) {
        const hints = source.results.map((v) => v.hint);
        const made = makeOp(
          source.name,
          operands,
          attributes,
          { ...loc, pointer: source.loc.pointer },
          check,
          hints,
        );
        push(made);
        return made.results;
      },
    };
    const before = ops.length;
    let values: readonly Value[] | undefined;
    for (const apply of rules) if ((values = apply(op, rewriter)) !== undefined) break;
    if (values === undefined) {
      push(op);
      continue;
    }
    changed = true;
    original.results.forEach((result, i) => {
      if (!sameType(values[i]!.type, result.type))
        bug(`${pass} replaced ${op.name} : ${typeText(result.type)} by ${typeText(values[i]!.type)}`);
      const named = ops.length > before ? keepHint(values[i]!, result, ops) : values[i]!;
      if (named !== values[i]) producers.set(named, ops[ops.length - 1]!);
      replaced.set(result, named);
    });
  }
  if (!changed) return graph;
  return { ...graph, ops, outputs: graph.outputs.map((v) => replaced.get(v) ?? v) };
}

/** A nameless replacement made by the last op takes the name of what it replaces. */
function keepHint(value: Value, original: Value, ops: Op[]): Value {
  const last = ops[ops.length - 1];
  if (
    value.hint !== undefined ||
    original.hint === undefined ||
    last === undefined ||
    !last.results.includes(value)
  )
    return value;
  const named: Value = { ...value, hint: original.hint };
  ops[ops.length - 1] = { ...last, results: last.results.map((r) => (r === value ? named : r)) };
  return named;
}

/** The op with operands replaced; the same object when none is. */
export function withOperands(op: Op, replaced: ReadonlyMap<Value, Value>): Op {
  if (!op.operands.some((v) => v !== undefined && replaced.has(v))) return op;
  return { ...op, operands: op.operands.map((v) => (v === undefined ? v : (replaced.get(v) ?? v))) };
}
