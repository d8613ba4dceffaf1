// The values of `; run` lines: nested lists, numbers, true/false and complex numbers, read as tensors whose
// shape is the nesting and whose element is the type they are meant for.
import { type Element, type Tensor, tensor } from "../../src/ir/tensor.js";

export interface Run {
  readonly graph: string;
  readonly inputs: readonly Nested[];
  /** `=` exactly these numbers, `~` to a relative 1e-12, `throws` a message instead of numbers. */
  readonly relation: "=" | "~" | "throws";
  readonly expected: readonly Nested[];
  readonly message: string;
}

export type Nested = readonly Nested[] | readonly number[];

const scalar =
  /^(true|false|(?:[+-]?(?:\d+\.?\d*(?:e[+-]?\d+)?|Infinity|NaN))(?:[+-](?:\d+\.?\d*(?:e[+-]?\d+)?)i)?)/;

class Reader {
  constructor(private rest: string) {}

  accept(mark: string): boolean {
    this.rest = this.rest.trimStart();
    if (!this.rest.startsWith(mark)) return false;
    this.rest = this.rest.slice(mark.length);
    return true;
  }

  /** A list becomes an array; a leaf is the numbers it is stored as: one, or two for a complex number. */
  value(): Nested {
    if (!this.accept("[")) return this.leaf();
    const items: Nested[] = [];
    if (this.accept("]")) return items;
    do items.push(this.value());
    while (this.accept(","));
    if (!this.accept("]")) throw new Error(`expected ] before ${this.rest}`);
    return items;
  }

  private leaf(): readonly number[] {
    this.rest = this.rest.trimStart();
    const text = scalar.exec(this.rest)?.[1];
    if (text === undefined) throw new Error(`expected a number before ${this.rest}`);
    this.rest = this.rest.slice(text.length);
    if (text === "true" || text === "false") return [text === "true" ? 1 : 0];
    const parts = /^(.*?[^e])([+-][^+-]*(?:e[+-]?\d+)?)i$/.exec(text);
    return parts === null ? [Number(text)] : [Number(parts[1]), Number(parts[2])];
  }

  list(): Nested[] {
    const items: Nested[] = [];
    do items.push(this.value());
    while (this.accept(","));
    return items;
  }

  get left(): string {
    return this.rest.trim();
  }
}

/** `@g([1, 2], 3) = [3, 6]`. */
export function parseRun(text: string): Run {
  const head = /^@([\w.]+)\(/.exec(text);
  if (head === null) throw new Error(`a run names a graph: ${text}`);
  const reader = new Reader(text.slice(head[0].length));
  const inputs = reader.accept(")") ? [] : reader.list();
  if (inputs.length > 0 && !reader.accept(")")) throw new Error(`expected ) before ${reader.left}`);
  const graph = head[1]!;
  if (reader.accept("throws"))
    return { graph, inputs, relation: "throws", expected: [], message: reader.left };
  const relation = reader.accept("=") ? "=" : "~";
  if (relation === "~" && !reader.accept("~")) throw new Error(`expected = or ~ before ${reader.left}`);
  const expected = reader.list();
  if (reader.left !== "") throw new Error(`cannot read ${reader.left}`);
  return { graph, inputs, relation, expected, message: "" };
}

/** `[[1, 2], [3, 4]]` alone. */
export function parseNested(text: string): Nested {
  return new Reader(text).value();
}

function isLeaf(value: Nested): value is readonly number[] {
  return typeof value[0] === "number";
}

/** The tensor of a nested list; a real number may stand for a complex one. */
export function toTensor(value: Nested, element: Element): Tensor {
  const shape: number[] = [];
  let level: Nested = value;
  while (!isLeaf(level)) {
    shape.push(level.length);
    if (level.length === 0) break;
    level = level[0]! as Nested;
  }
  const data: number[] = [];
  const collect = (part: Nested): void => {
    if (isLeaf(part)) data.push(...(element === "c64" && part.length === 1 ? [part[0]!, 0] : part));
    else for (const inner of part) collect(inner as Nested);
  };
  collect(value);
  return tensor(element, shape, Float64Array.from(data));
}
