// What the rules of cache-blocks write with: @block and @prefix as they grow, the rows of @denoise's values in them, and
// what is kept of settled blocks.
//
//   cache.NAME   f32[B, capacity, w]   rows of settled positions 0 .. start-1, the others anything; @block gives the
//                                      block's own as rows.NAME f32[B, s, w], to be appended once they are settled
//   tail.NAME    f32[B, r, w]          the last r rows, zeros before position 0; @block gives those of the next block as
//                                      next.NAME: at s, or where fewer may settle at after.NAME i32[r] of (tail, block)
//   prefix.NAME  f32[B, s, w]          what settled positions add to the block's: an output of @prefix, an input of @block

import { Builder } from "../../ir/build.js";
import { Dim, dim } from "../../ir/dim.js";
import type { Graph, Loc, Op, Value } from "../../ir/graph.js";
import { type TensorType, type } from "../../ir/type.js";
import { fail } from "../../support/diagnostic.js";

export const passName = "cache-blocks";

/** The rows of a block of a value with one row a position. */
export interface Rows {
  /** In @block. */
  readonly value: Value;
  /** The axis that counts positions; its extent is outer s here and outer L in @denoise. */
  readonly axis: number;
  readonly outer: Dim;
}

/** A graph being made, with copies of what @denoise computes from no token. */
class Part {
  readonly b: Builder;
  private readonly copies = new Map<Value, Value>();
  private inputPositions: Value | undefined;
  private inputStart: Value | undefined;

  constructor(
    name: string,
    private readonly producers: ReadonlyMap<Value, Op>,
    private readonly block: number,
  ) {
    this.b = new Builder(name, [], { pointer: "", via: [passName] });
  }

  /** A value of @denoise that depends on no token. */
  copy(value: Value): Value {
    const known = this.copies.get(value);
    if (known !== undefined) return known;
    const op = this.producers.get(value);
    const made =
      op === undefined
        ? this.b.input(value.hint ?? "", value.type)
        : this.emitLike(
            op,
            op.operands.map((v) => v && this.copy(v)),
          );
    this.copies.set(value, made);
    return made;
  }

  /** The op of @denoise that makes a value. */
  producer(value: Value): Op | undefined {
    return this.producers.get(value);
  }

  /** The op again on other operands. */
  emitLike(op: Op, operands: Op["operands"], attributes: Op["attributes"] = op.attributes): Value {
    const loc: Loc = { pointer: op.loc.pointer, via: [passName, ...op.loc.via] };
    return this.b.emitList(
      op.name,
      operands,
      attributes,
      op.results.map((v) => v.hint),
      loc,
    )[0]!;
  }

  /** i32[s], the positions of the block. */
  get positions(): Value {
    this.inputPositions ??= this.b.input("positions", type("i32", [this.block]));
    return this.inputPositions;
  }

  /** i32[1], the first of them. */
  get start(): Value {
    this.inputStart ??= this.b.emit(
      "slice",
      { x: this.positions },
      { axis: 0, start: dim(0), length: dim(1) },
      "start",
    );
    return this.inputStart;
  }

  /** bool[count], true at numbers before the block. */
  settled(count: number): Value {
    const number = this.b.emit("iota", {}, { length: dim(count), element: "i32" });
    return this.b.emit("less", { a: number, b: this.start }, {}, "settled");
  }

  /** 0 where the condition does not hold. */
  masked(condition: Value, x: Value): Value {
    return this.b.emit("where", { condition, a: x, b: this.b.emit("constant", {}, { value: 0 }) }, {});
  }

  /** `outputs`, and a graph only where there are any. */
  finish(outputs: Readonly<Record<string, Value>>): Graph | undefined {
    return Object.keys(outputs).length === 0 ? undefined : this.b.finish(outputs);
  }
}

/** The state of the pass. */
export class BlockWriter {
  readonly block: Part;
  readonly prefix: Part;
  /** Settled rows that can be kept: all before the last multiple of u, and u where there is no other. */
  readonly capacity: number;
  /** L, filled up to where the last block ends. */
  readonly whole: number;
  private readonly rows = new Map<Value, Rows>();
  private readonly parts = new Set<Value>();
  private readonly outputs: Record<string, Value> = {};
  private readonly terms: Record<string, Value> = {};
  private readonly counts = new Map<string, number>();

  constructor(
    source: Graph,
    /** L. */
    readonly length: number,
    /** s. */
    readonly size: number,
    /** u. */
    readonly unit: number,
  ) {
    const producers = new Map(source.ops.flatMap((op) => op.results.map((v) => [v, op] as const)));
    const last = Math.ceil(length / unit) - 1;
    this.whole = last * unit + size;
    this.capacity = Math.max(1, last) * unit;
    this.block = new Part("block", producers, size);
    this.prefix = new Part("prefix", producers, size);
  }

  /** Whether the last block has positions beyond L. */
  get hasPadding(): boolean {
    return this.whole !== this.length;
  }

  setRows(value: Value, rows: Rows): void {
    this.rows.set(value, rows);
  }

  /** Marks some positions of rows, which have no rows of their own in a block. */
  setPart(value: Value): void {
    this.parts.add(value);
  }

  isPart(value: Value | undefined): boolean {
    return value !== undefined && this.parts.has(value);
  }

  /** The rows of a value that has one a position; undefined where it does not depend on tokens. */
  rowsOf(value: Value | undefined): Rows | undefined {
    return value && this.rows.get(value);
  }

  /** Rows f32[B, s, w] of an operand; refuses another arrangement. */
  lineOf(op: Op, value: Value): Value {
    const found = this.rowsOf(value);
    if (
      found === undefined ||
      found.axis !== 1 ||
      found.outer.value !== 1 ||
      found.value.type.shape.length !== 3
    )
      return this.refuse(op, "it does not read one row a position");
    return found.value;
  }

  /** The rows of a table [L, ..] of @denoise at the block's positions; those beyond L are zeros. */
  atPositions(table: Value): Value {
    const { b } = this.block;
    const stored = this.block.copy(table);
    const after = dim(this.whole - this.length);
    const whole = this.hasPadding ? b.emit("pad", { x: stored }, { axis: 0, before: dim(0), after }) : stored;
    return b.emit("take", { table: whole, indices: this.block.positions }, {}, table.hint);
  }

  /** bool[s], true at positions below L; undefined where all are. */
  inside(): Value | undefined {
    if (!this.hasPadding) return undefined;
    const { b, positions } = this.block;
    const end = b.emit("constant", {}, { value: this.length, element: "i32" });
    return b.emit("less", { a: positions, b: end }, {}, "inside");
  }

  /** `k.0`, `k.1`, ..: the next name of a kind. */
  name(kind: string): string {
    const n = this.counts.get(kind) ?? 0;
    this.counts.set(kind, n + 1);
    return `${kind}.${n}`;
  }

  /** Rows f32[B, s, w] that are kept; the settled ones f32[B, capacity, w] as an input of the part. */
  keep(name: string, own: Value, reader: Part): Value {
    this.outputs[`rows.${name}`] = own;
    return reader.b.input(`cache.${name}`, this.like(own, this.capacity));
  }

  /** The last `count` rows before the block, f32[B, count, w]; rows f32[B, s, w] of this block follow them. */
  tail(name: string, own: Value, count: number): Value {
    const { b } = this.block;
    const before = b.input(`tail.${name}`, this.like(own, count));
    const joined = b.emit("concat", { xs: [before, own] }, { axis: 1 });
    this.outputs[`next.${name}`] =
      this.unit === this.size
        ? b.emit(
            "slice",
            { x: joined },
            { axis: 1, start: dim(this.size), length: dim(count) },
            `next_${name}`,
          )
        : takeRows(b, joined, b.input(`after.${name}`, type("i32", [count])), `next_${name}`);
    return before;
  }

  /** A term f32[B, s, w] that @prefix computes, in @block. */
  term(name: string, value: Value): Value {
    this.terms[`prefix.${name}`] = value;
    return this.block.b.input(`prefix.${name}`, value.type);
  }

  private like(own: Value, count: number): TensorType {
    const [batch, , width] = own.type.shape as [Dim, Dim, Dim];
    return type("f32", [batch, count, width]);
  }

  /** @block and, where something needs it, @prefix. */
  finish(logits: Value): readonly Graph[] {
    const prefix = this.prefix.finish(this.terms);
    return [this.block.b.finish({ logits, ...this.outputs }), ...(prefix === undefined ? [] : [prefix])];
  }

  /** Why a mixer with blocks of its own is refused. */
  notWhole(block: number): string {
    return `${this.unit} settled positions are no whole number of its blocks of ${block}`;
  }

  /** Throws `cache/no-rule`: what the op computes of a position depends on later ones. */
  refuse(op: Op, why: string): never {
    return fail("cache/no-rule", `there is no exact cache for ${op.name} here: ${why}`, {
      pointer: op.loc.pointer,
      help: 'use a mixer that sees settled blocks only (causal or block_causal), or "cache": "none"',
    });
  }
}

/** The rows of [B, n, w] at these indices. */
export function takeRows(b: Builder, x: Value, indices: Value, hint: string): Value {
  const turned = (value: Value, name?: string): Value =>
    b.emit("transpose", { x: value }, { permutation: [1, 0, 2] }, name);
  return turned(b.emit("take", { table: turned(x), indices }, {}), hint);
}

/** One: the extent that counts positions alone. */
export const single = Dim.of(1);
