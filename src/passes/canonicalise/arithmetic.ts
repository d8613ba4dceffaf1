// Rules of arithmetic with constants known at compile time.

import type { Value } from "../../ir/graph.js";
import type { OpName } from "../../ir/ops/index.js";
import { type Rewriter, type Rule, rule } from "../../ir/rewrite.js";
import { broadcastShapes, sameShape } from "../../ir/type.js";

/** The number a value is everywhere, when it is a constant or a literal of one number. */
export function splat(b: Rewriter, value: Value): number | undefined {
  const op = b.producer(value);
  if (op?.name === "constant") return op.attributes.value as number;
  if (op?.name !== "literal") return undefined;
  const values = op.attributes.values as readonly number[];
  return values.every((v) => Object.is(v, values[0])) ? values[0] : undefined;
}

/** The operand of `value` when it is made by a unary op of that name. */
function under(b: Rewriter, value: Value, name: OpName): Value | undefined {
  const op = b.producer(value);
  return op?.name === name ? op.operands[0] : undefined;
}

const isReal = (value: Value): boolean => value.type.element === "f32" || value.type.element === "f16";

interface Affine {
  readonly factor?: number;
  readonly offset?: number;
}

/** factor x + offset for a constant on one side of a binary op; undefined where it does not fit. */
function asScale(
  b: Rewriter,
  x: Value,
  constant: Value,
  result: Value,
  affine: (c: number) => Affine | undefined,
): Value[] | undefined {
  const number = splat(b, constant);
  const found = number === undefined ? undefined : affine(number);
  if (found === undefined || !isReal(x) || !sameShape(x.type.shape, result.type.shape)) return undefined;
  return [b.emit("scale", { x }, found)];
}

export const arithmeticRules: readonly Rule[] = [
  // x + c = c + x = 1 x + c
  rule("add", ({ a, b: c }, _, b, { results: [y] }) => {
    const offset = (n: number) => ({ offset: n });
    return asScale(b, a, c, y!, offset) ?? asScale(b, c, a, y!, offset);
  }),
  // x - c = 1 x - c;  c - x = -1 x + c
  rule(
    "sub",
    ({ a, b: c }, _, b, { results: [y] }) =>
      asScale(b, a, c, y!, (n) => ({ offset: -n })) ??
      asScale(b, c, a, y!, (n) => ({ factor: -1, offset: n })),
  ),
  // x c = c x
  rule("mul", ({ a, b: c }, _, b, { results: [y] }) => {
    const factor = (n: number) => ({ factor: n });
    return asScale(b, a, c, y!, factor) ?? asScale(b, c, a, y!, factor);
  }),
  // x / 2^n = 2^-n x; other quotients would round twice
  rule("div", ({ a, b: c }, _, b, { results: [y] }) =>
    asScale(b, a, c, y!, (n) =>
      n !== 0 && Number.isInteger(Math.log2(Math.abs(n))) ? { factor: 1 / n } : undefined,
    ),
  ),
  // 1 x + 0 = x
  rule("scale", ({ x }, { factor, offset }) => (factor === 1 && offset === 0 ? [x] : undefined)),
  // f (g x + h) + o = (f g) x + (f h + o)
  rule("scale", ({ x }, { factor, offset }, b) => {
    const inner = b.producer(x);
    if (inner?.name !== "scale") return undefined;
    const [g, h] = [inner.attributes.factor as number, inner.attributes.offset as number];
    return [b.emit("scale", { x: inner.operands[0]! }, { factor: factor * g, offset: factor * h + offset })];
  }),
  // f (-x) + o = (-f) x + o
  rule("scale", ({ x }, { factor, offset }, b) => {
    const inner = under(b, x, "neg");
    return inner && [b.emit("scale", { x: inner }, { factor: -factor, offset })];
  }),
  // -(-x) = x
  rule("neg", ({ x }, _, b) => {
    const inner = under(b, x, "neg");
    return inner && [inner];
  }),
  // |-x| = ||x|| = |x|
  rule("abs", ({ x }, _, b) => {
    const inner = under(b, x, "neg") ?? under(b, x, "abs");
    return inner && [b.emit("abs", { x: inner }, {})];
  }),
  // max(max(x, 0), 0) = max(x, 0)
  rule("relu", ({ x }, _, b) => (under(b, x, "relu") === undefined ? undefined : [x])),
  // max(x, x) = min(x, x) = x
  rule("maximum", ({ a, b: c }) => (a === c ? [a] : undefined)),
  rule("minimum", ({ a, b: c }) => (a === c ? [a] : undefined)),
  // where(true, a, b) = a;  where(false, a, b) = b;  where(c, a, a) = a
  rule("where", ({ condition, a, b: other }, _, b, { results: [y] }) => {
    const known = splat(b, condition);
    const taken = a === other ? a : known === undefined ? undefined : known !== 0 ? a : other;
    return taken !== undefined && sameShape(taken.type.shape, y!.type.shape) ? [taken] : undefined;
  }),
  // x as its own element is x
  rule("cast", ({ x }, { to }) => (to === x.type.element ? [x] : undefined)),
  unneededBroadcast,
];

const broadcasting: ReadonlySet<string> = new Set([
  "add",
  "sub",
  "mul",
  "div",
  "maximum",
  "minimum",
  "equal",
  "less",
  "where",
]);

/** f(broadcast(x), y) = f(x, y), also for a reshape that only puts axes of 1 in front, where f broadcasts to the same shape. */
function unneededBroadcast(...[op, b]: Parameters<Rule>): readonly Value[] | undefined {
  if (!broadcasting.has(op.name)) return undefined;
  for (const [i, operand] of op.operands.entries()) {
    const x = under(b, operand!, "broadcast") ?? withoutLeadingOnes(b, operand!);
    if (x === undefined) continue;
    const operands = op.operands.map((v, j) => (i === j ? x : v!));
    const shape = operands.reduce<Shape | undefined>((s, v) => s && broadcastShapes(s, v.type.shape), []);
    if (shape !== undefined && sameShape(shape, op.results[0]!.type.shape)) return b.copy(op, operands);
  }
  return undefined;
}

type Shape = Value["type"]["shape"];

/** x when `value` is x under a reshape from [..] to [1, .., 1, ..]. */
function withoutLeadingOnes(b: Rewriter, value: Value): Value | undefined {
  const x = under(b, value, "reshape");
  if (x === undefined) return undefined;
  const added = value.type.shape.length - x.type.shape.length;
  const [ones, rest] = [value.type.shape.slice(0, Math.max(added, 0)), value.type.shape.slice(added)];
  return added > 0 && ones.every((n) => n.value === 1) && sameShape(rest, x.type.shape) ? x : undefined;
}
