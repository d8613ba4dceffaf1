// Building graphs: the builder emits an op, runs its type rule, remembers where in model.json it came from.

import { bug } from "../support/diagnostic.js";
import type { Dim } from "./dim.js";
import type { Attributes, Graph, Loc, Op, Value } from "./graph.js";
import { type Check, ConstraintError, fillDefaults, operandName } from "./op.js";
import { type AttributeInputs, definitionOf, type Operands, type OpName } from "./ops/index.js";
import type { TensorType } from "./type.js";

/** A check whose first broken constraint throws: a builder's mistake is a bug or an earlier missed rule. */
export function throwingCheck(graphs: (name: string) => Graph | undefined): Check {
  return {
    that(condition, label, message) {
      if (!condition) throw new ConstraintError(label, message);
    },
    graph: graphs,
  };
}

/** Makes one op from positional operands, typed by its rule. Throws ConstraintError. */
export function makeOp(
  name: string,
  operands: readonly (Value | undefined)[],
  attributes: Attributes,
  loc: Loc,
  check: Check,
  hints: readonly (string | undefined)[] = [],
): Op {
  const definition = definitionOf(name);
  if (definition === undefined) bug(`no op named ${name}`);
  const filled = fillDefaults(definition.attributes, attributes);
  const record = operandTypes(definition.operands, operands);
  const types = definition.type(record as never, filled as never, check);
  return {
    name,
    operands,
    attributes: filled,
    results: types.map((type, i) => ({ type, hint: hints[i] })),
    loc,
  };
}

function operandTypes(
  slots: readonly string[],
  operands: readonly (Value | undefined)[],
): Record<string, unknown> {
  if (slots[0]?.endsWith("*")) return { [operandName(slots[0])]: operands.map((v) => v!.type) };
  return Object.fromEntries(slots.map((slot, i) => [operandName(slot), operands[i]?.type]));
}

/** Builds one graph. */
export class Builder {
  private readonly inputs: Value[] = [];
  private readonly ops: Op[] = [];
  private loc: Loc;

  /** `graphs` are those a `call` may name. */
  constructor(
    readonly name: string,
    private readonly graphs: readonly Graph[] = [],
    loc: Loc = { pointer: "", via: [] },
  ) {
    this.loc = loc;
  }

  input(name: string, type: TensorType): Value {
    const value: Value = { type, hint: name };
    this.inputs.push(value);
    return value;
  }

  /** Runs `body` with ops located at `pointer`. */
  at<T>(pointer: string, body: () => T): T {
    const outer = this.loc;
    this.loc = { ...outer, pointer };
    try {
      return body();
    } finally {
      this.loc = outer;
    }
  }

  /** Emits an op with one result. */
  emit<N extends OpName>(
    name: N,
    operands: Operands<N, Value>,
    attributes: AttributeInputs<N>,
    hint?: string,
  ): Value {
    const definition = definitionOf(name)!;
    const record = operands as Readonly<Record<string, Value | readonly Value[] | undefined>>;
    const first = definition.operands[0];
    const list = first?.endsWith("*")
      ? (record[operandName(first)] as readonly Value[])
      : definition.operands.map((slot) => record[operandName(slot)] as Value | undefined);
    const [result] = this.emitList(name, list, attributes as unknown as Attributes, [hint]);
    return result!;
  }

  /** Emits an op from positional operands; for passes and `call`, where names are known only at run time. */
  emitList(
    name: string,
    operands: readonly (Value | undefined)[],
    attributes: Attributes,
    hints: readonly (string | undefined)[] = [],
    loc: Loc = this.loc,
  ): readonly Value[] {
    const op = makeOp(
      name,
      operands,
      attributes,
      loc,
      throwingCheck((graph) => this.graphs.find((g) => g.name === graph)),
      hints,
    );
    this.ops.push(op);
    return op.results;
  }

  /** Appends an op made elsewhere. */
  append(op: Op): void {
    this.ops.push(op);
  }

  /** A named weight of the module. */
  weight(name: string, shape: readonly Dim[]): Value {
    return this.emit("weight", {}, { name, shape }, name);
  }

  finish(outputs: Readonly<Record<string, Value>>): Graph {
    return {
      name: this.name,
      inputs: this.inputs,
      ops: this.ops,
      outputs: Object.values(outputs),
      outputNames: Object.keys(outputs),
    };
  }
}
