// What an op definition is: one literal that holds its operands, attributes, type rule, float64 reference,
// fusion kind and rounding model. TypeScript infers the rest: inside a definition `({ x }, { axis })` is typed
// from the literal lists, and back ends that misspell an attribute do not compile.

import { Dim } from "./dim.js";
import type { Attribute, Attributes, Graph } from "./graph.js";
import type { Tensor } from "./tensor.js";
import type { TensorType } from "./type.js";

/** How an attribute is read, printed and defaulted. */
export interface AttributeKind<T extends Attribute> {
  readonly kind: "int" | "float" | "bool" | "string" | "dim" | "ints" | "floats" | "dims";
  readonly choices?: readonly string[];
  readonly default?: T;
}

export const attribute = {
  int: { kind: "int" } as AttributeKind<number>,
  float: { kind: "float" } as AttributeKind<number>,
  bool: { kind: "bool" } as AttributeKind<boolean>,
  string: { kind: "string" } as AttributeKind<string>,
  dim: { kind: "dim" } as AttributeKind<Dim>,
  ints: { kind: "ints" } as AttributeKind<readonly number[]>,
  floats: { kind: "floats" } as AttributeKind<readonly number[]>,
  dims: { kind: "dims" } as AttributeKind<readonly Dim[]>,
};

export function choice<const C extends string>(...choices: readonly C[]): AttributeKind<C> {
  return { kind: "string", choices };
}

/** The kind with a default: left out of the text and of builder calls when it has that value. */
export function withDefault<T extends Attribute>(
  kind: AttributeKind<T>,
  value: T,
): AttributeKind<T> & { readonly default: T } {
  return { ...kind, default: value };
}

export type AttributeKinds = Readonly<
  Record<string, AttributeKind<never> | AttributeKind<Attribute> | { readonly kind: string }>
>;
type ValueOf<K> = K extends AttributeKind<infer T> ? T : never;
/** Attribute values as a definition and a back end see them: all present. */
export type AttributesOf<A> = { readonly [K in keyof A]: ValueOf<A[K]> };
/** Attribute values as a builder call gives them: those with a default may be left out. */
export type AttributesIn<A> = {
  readonly [K in keyof A as A[K] extends { readonly default: Attribute } ? never : K]: ValueOf<A[K]>;
} & {
  readonly [K in keyof A as A[K] extends { readonly default: Attribute } ? K : never]?: ValueOf<A[K]>;
};

/** `"x"` is required, `"bias?"` optional, `"xs*"` any number (and then the only operand). */
export type OperandsOf<O extends readonly string[], T> = {
  readonly [K in O[number] as K extends `${string}?` | `${string}*` ? never : K]: T;
} & { readonly [K in O[number] as K extends `${infer N}?` ? N : never]?: T | undefined } & {
  readonly [K in O[number] as K extends `${infer N}*` ? N : never]: readonly T[];
};

/** Collects the broken constraints of one op. Labels are stable: `rfft_c1`. */
export interface Check {
  that(condition: boolean, label: string, message: string): void;
  /** The graph a `call` names. */
  graph(name: string): Graph | undefined;
}

/** Thrown by a type rule when going on makes no sense after a broken constraint. */
export class ConstraintError extends Error {
  constructor(
    readonly label: string,
    message: string,
  ) {
    super(message);
  }
}

export interface EvaluateContext {
  /** The number an extent stands for in this evaluation. */
  size(extent: Dim): number;
  shape(extents: readonly Dim[]): number[];
  weight(name: string): Tensor;
  call(graph: string, inputs: readonly Tensor[]): readonly Tensor[];
}

/**
 * What fusion may ask: a constant, one number per output element (elementwise), the same numbers elsewhere
 * (view), a formula of a few numbers elsewhere (gather), one pass over an axis (reduction), or none of these.
 */
export type Fusion = "constant" | "elementwise" | "view" | "gather" | "reduction" | "opaque";

/** Transcendental functions whose error a target states (in ULP). */
export type AccurateFunction =
  | "exp"
  | "log"
  | "sqrt"
  | "rsqrt"
  | "div"
  | "tanh"
  | "sigmoid"
  | "erf"
  | "sin"
  | "cos"
  | "pow";

export interface RoundingContext {
  /** Error of a function on the target, in units of the last place. */
  ulps(name: AccurateFunction): number;
}

/**
 * The size of the rounding error an honest implementation makes in this op alone, fed exact operands: one
 * number per result number, in units of the target's unit roundoff u (2^-24 for f32). `0` where exact.
 */
export type Rounding<O extends readonly string[], A> = (
  operands: OperandsOf<O, Tensor>,
  results: readonly Tensor[],
  attributes: AttributesOf<A>,
  context: RoundingContext,
) => readonly Float64Array[];

export interface OpDefinition<
  O extends readonly string[] = readonly string[],
  A extends AttributeKinds = AttributeKinds,
> {
  readonly name: string;
  /** One line, with the equation. */
  readonly summary: string;
  readonly operands: O;
  readonly attributes: A;
  readonly fusion: Fusion;
  type(operands: OperandsOf<O, TensorType>, attributes: AttributesOf<A>, check: Check): readonly TensorType[];
  evaluate(
    operands: OperandsOf<O, Tensor>,
    attributes: AttributesOf<A>,
    context: EvaluateContext,
  ): readonly Tensor[];
  readonly rounding: Rounding<O, A>;
}

/** An op definition; the identity function that gives it its types. */
export function defineOp<const O extends readonly string[], const A extends AttributeKinds>(
  definition: OpDefinition<O, A>,
): OpDefinition<O, A> {
  return definition;
}

/** The plain name of an operand slot: `bias?` is bias. */
export function operandName(slot: string): string {
  return slot.replace(/[?*]$/, "");
}

/** Operands in order, as the record a definition takes. */
export function operandRecord<T>(
  slots: readonly string[],
  operands: readonly (T | undefined)[],
): Record<string, T | readonly T[] | undefined> {
  const [first] = slots;
  if (first?.endsWith("*")) return { [operandName(first)]: operands as readonly T[] };
  return Object.fromEntries(slots.map((slot, i) => [operandName(slot), operands[i]]));
}

/** Attribute values with defaults filled in. */
export function fillDefaults(kinds: AttributeKinds, given: Attributes): Attributes {
  const filled: Record<string, Attribute> = { ...given };
  for (const [name, kind] of Object.entries(kinds) as [string, AttributeKind<Attribute>][]) {
    if (filled[name] === undefined && kind.default !== undefined) filled[name] = kind.default;
  }
  return filled;
}

/** Why operands or attributes do not fit the definition's lists (before its type rule runs); undefined when they do. */
export function signatureProblem(
  definition: OpDefinition,
  operands: readonly unknown[],
  attributes: Attributes,
): string | undefined {
  const { name } = definition;
  const variadic = definition.operands[0]?.endsWith("*") ?? false;
  const fits = variadic
    ? operands.every((v) => v !== undefined)
    : operands.length <= definition.operands.length &&
      definition.operands.every((slot, i) => slot.endsWith("?") || operands[i] !== undefined);
  if (!fits)
    return `${name} takes (${definition.operands.join(", ")}), got ${operands.filter((v) => v !== undefined).length} operands`;
  for (const [key, kind] of Object.entries(definition.attributes) as [string, AttributeKind<Attribute>][]) {
    const value = attributes[key] ?? kind.default;
    if (value === undefined) return `${name} needs the attribute ${key}`;
    if (kind.choices !== undefined && !kind.choices.includes(value as string))
      return `${key} must be one of ${kind.choices.join(", ")}, got ${String(value)}`;
    if (kind.kind === "int" && !Number.isInteger(value))
      return `${key} must be an integer, got ${String(value)}`;
  }
  return undefined;
}

export function sameAttribute(a: Attribute, b: Attribute): boolean {
  if (a instanceof Dim || b instanceof Dim) return a instanceof Dim && b instanceof Dim && a.equals(b);
  if (Array.isArray(a) && Array.isArray(b))
    return a.length === b.length && a.every((x, i) => sameAttribute(x, b[i]));
  return Object.is(a, b);
}

/** Rounding models shared by many ops. */
export const rounding = {
  /** No rounding: moves numbers, compares, or makes integers. */
  exact: (_: unknown, results: readonly Tensor[]) => results.map((r) => new Float64Array(r.data.length)),
  /** n ULP of the result. */
  ulps: (n: number) => (_: unknown, results: readonly Tensor[]) =>
    results.map((r) => r.data.map((y) => n * Math.abs(y))),
  /** The target's own error for a function, plus `extra` ULP. */
  of:
    (name: AccurateFunction, extra = 0) =>
    (_: unknown, results: readonly Tensor[], __: unknown, context: RoundingContext) =>
      results.map((r) => r.data.map((y) => (context.ulps(name) + extra) * Math.abs(y))),
};
