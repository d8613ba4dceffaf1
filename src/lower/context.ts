// What every lowering function needs: the builder of the graph at hand, the extents, and the parameters.
// A parameter is declared where it is used, with the shape the description demands; the declarations are what
// a weights file is checked against and what synthetic weights are made from.

import { Builder } from "../ir/build.js";
import { Dim } from "../ir/dim.js";
import type { Graph, Value } from "../ir/graph.js";
import { type TensorType, type } from "../ir/type.js";
import type { Init, ParameterDeclaration } from "../weights/store.js";

/** Extents and declarations shared by all graphs of one module. */
export class Lowering {
  readonly batch = Dim.symbol("B");
  readonly length: Dim;

  constructor(
    /** The sequence length this module is built for; `named` where it is the module's L. */
    readonly sequence: number,
    private readonly declared = new Map<string, ParameterDeclaration>(),
    named = true,
  ) {
    const length = Dim.of(sequence);
    this.length = named ? length.named("L") : length;
  }

  get dims(): ReadonlyMap<string, Dim> {
    return new Map([
      ["B", this.batch],
      ["L", this.length],
    ]);
  }

  get parameters(): readonly ParameterDeclaration[] {
    return [...this.declared.values()];
  }

  declare(parameter: ParameterDeclaration): void {
    if (!this.declared.has(parameter.name)) this.declared.set(parameter.name, parameter);
  }

  /** The same for a part of the module with another number of positions. */
  ofLength(positions: number): Lowering {
    return new Lowering(positions, this.declared, false);
  }

  graph(name: string): GraphContext {
    return new GraphContext(this, new Builder(name));
  }

  /** f32[B, L, width]. */
  activation(width: number): TensorType {
    return type("f32", [this.batch, this.length, width]);
  }
}

/** Where in the parameter names and in the description a lowering function stands. */
export interface Scope {
  /** Prefix of canonical names, "" or ending in a dot. */
  readonly name: string;
  /** JSON pointer of the description's part. */
  readonly pointer: string;
}

/** One graph being lowered. */
export class GraphContext {
  private readonly weights = new Map<string, Value>();

  constructor(
    readonly lowering: Lowering,
    readonly b: Builder,
  ) {}

  /** The parameter `name` of the scope as a value; the same value each time in one graph. */
  parameter(scope: Scope, name: string, shape: readonly number[], init: Init): Value {
    const full = scope.name + name;
    this.lowering.declare({ name: full, shape, pointer: scope.pointer, init });
    const known = this.weights.get(full);
    if (known !== undefined) return known;
    const value = this.b.at(scope.pointer, () =>
      this.b.weight(
        full,
        shape.map((extent) => Dim.of(extent)),
      ),
    );
    this.weights.set(full, value);
    return value;
  }

  finish(outputs: Readonly<Record<string, Value>>): Graph {
    return this.b.finish(outputs);
  }
}

/** The scope of a part below: `child(scope, "mixer", "/mixer")`. */
export function child(scope: Scope, name: string, pointer = ""): Scope {
  return { name: name === "" ? scope.name : `${scope.name}${name}.`, pointer: scope.pointer + pointer };
}
