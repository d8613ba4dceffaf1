// What a group computes around its anchor, as formulas for the comment at the top of its code: names are those of the
// buffers, an anchor's result is called after the anchor.
//   residual = addend + linear * gate1

import type { Dim } from "../ir/dim.js";
import { type Graph, type Op, present, type Value } from "../ir/graph.js";
import { operandName } from "../ir/op.js";
import { definitionOf } from "../ir/ops/index.js";
import { identifier } from "./names.js";

/** Operands whose slots are called a and b. */
const names: Readonly<Record<string, string>> = {
  add: "addend",
  sub: "term",
  mul: "factor",
  div: "ratio_part",
};

/** What an input of a group is called: its own name, else what the first op that takes it calls it. */
export function inputName(graph: Graph, value: Value): string {
  if (value.hint !== undefined) return value.hint;
  const user = graph.ops.find((op) => op.operands.includes(value));
  if (user === undefined) return "unused";
  const of = names[user.name];
  if (of !== undefined) return of;
  const slots = definitionOf(user.name)!.operands;
  return operandName(slots[Math.min(user.operands.indexOf(value), slots.length - 1)]!);
}

interface Formula {
  readonly text: string;
  /** How strongly it binds: 1 sums, 2 products, 3 what needs no parentheses. */
  readonly strength: 1 | 2 | 3;
}

const infix: Readonly<Record<string, { readonly sign: string; readonly strength: 1 | 2 }>> = {
  add: { sign: " + ", strength: 1 },
  sub: { sign: " - ", strength: 1 },
  mul: { sign: " * ", strength: 2 },
  div: { sign: " / ", strength: 2 },
};

const longest = 160;

/**
 * The formulas of a group: of each operand that the anchor does not take as it is, and of each output that is not its
 * result. Without an anchor, of each output.
 */
export function formulas(graph: Graph, anchor?: Op): string[] {
  const operands = definitionOf(anchor?.name ?? "reshape")!.operands;
  const before = (anchor?.operands ?? []).flatMap((value, k): [string, Value][] => {
    const slot = operandName(operands[Math.min(k, operands.length - 1)]!);
    return value === undefined || !isMade(graph, value) ? [] : [[slot, value]];
  });
  const after = graph.outputs.flatMap((value, k): [string, Value][] =>
    anchor?.results.includes(value) ? [] : [[graph.outputNames[k] ?? value.hint ?? "y", value]],
  );
  return [...before, ...after].flatMap(([name, value]) => {
    const { text } = formulaOf(graph, value, anchor);
    return text === name
      ? []
      : [`${name} = ${text.length > longest ? `${text.slice(0, longest)} ..` : text}`];
  });
}

/** Whether an op other than one that only renames or widens made the value. */
function isMade(graph: Graph, value: Value): boolean {
  const op = graph.ops.find(({ results }) => results.includes(value));
  if (op === undefined) return false;
  return silent.has(op.name) ? isMade(graph, op.operands[0]!) : true;
}

/** Ops that change neither the number nor which number it is. */
const silent = new Set(["reshape", "broadcast", "cast"]);

function formulaOf(graph: Graph, value: Value, anchor: Op | undefined): Formula {
  const op = graph.ops.find(({ results }) => results.includes(value));
  const whole = (text: string): Formula => ({ text, strength: 3 });
  if (op === undefined) return whole(identifier(inputName(graph, value)));
  if (op === anchor) return whole(identifier(value.hint ?? op.name));
  if (present(op).length === 0)
    return whole(op.name === "constant" ? String(op.attributes.value) : (value.hint ?? op.name));
  const of = (operand: Value): Formula => formulaOf(graph, operand, anchor);
  const parts = present(op).map(of);
  const [first, second] = parts as [Formula, Formula];
  if (silent.has(op.name)) return first;
  const sign = infix[op.name];
  if (sign !== undefined) {
    const { strength } = sign;
    const inside = ({ text, strength: own }: Formula, least: number): string =>
      own < least ? `(${text})` : text;
    // a - (b + c) and a / (b c) keep their parentheses.
    const right = inside(second, strength + (op.name === "sub" || op.name === "div" ? 1 : 0));
    return { text: `${inside(first, strength)}${sign.sign}${right}`, strength };
  }
  if (op.name === "scale") {
    const { factor, offset } = op.attributes as { factor: number; offset: number };
    const text =
      factor === 1 ? first.text : `${factor} * ${first.strength < 2 ? `(${first.text})` : first.text}`;
    return offset === 0
      ? { text, strength: factor === 1 ? first.strength : 2 }
      : { text: `${text} + ${offset}`, strength: 1 };
  }
  if (op.name === "slice") {
    const { axis, start, length } = op.attributes as { axis: number; start: Dim; length: Dim };
    const before = axis === 0 ? "" : axis === 1 ? ":, " : ".., ";
    const from = start.value ?? 0;
    return whole(
      `${first.strength < 3 ? `(${first.text})` : first.text}[${before}${from}:${from + (length.value ?? 0)}]`,
    );
  }
  const numbers = Object.entries(op.attributes).flatMap(([name, setting]) =>
    typeof setting === "number" ? [`${name} ${setting}`] : [],
  );
  return whole(`${op.name}(${[...parts.map(({ text }) => text), ...numbers].join(", ")})`);
}
