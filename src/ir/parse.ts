// Text to module: the inverse of print.ts. Every problem is a diagnostic with the offset it is about; types are
// not believed but derived again from each op's rule and compared.

import { type Diagnostic, DlmcError } from "../support/diagnostic.js";
import { makeOp } from "./build.js";
import { Dim } from "./dim.js";
import {
  type Attribute,
  type Attributes,
  type Graph,
  type Module,
  noWeights,
  nowhere,
  type Op,
  type Value,
  type WeightSource,
} from "./graph.js";
import { type AttributeKind, type Check, ConstraintError, signatureProblem } from "./op.js";
import { definitionOf } from "./ops/index.js";
import { Scanner } from "./scan.js";
import type { Element } from "./tensor.js";
import { sameType, type TensorType, typeText } from "./type.js";

const elements: readonly string[] = ["f32", "f16", "c64", "i32", "bool"];

export interface ParseOptions {
  readonly file?: string;
  readonly weights?: WeightSource;
  /** Sizes that bind free dims of the header: `L = 13`. */
  readonly sizes?: ReadonlyMap<string, number>;
}

/** Parses a module. Throws DlmcError with every problem found; code is the broken constraint or `ir/syntax`. */
export function parseModule(text: string, options: ParseOptions = {}): Module {
  const parser = new Parser(text, options);
  const module = parser.module();
  if (parser.problems.length > 0) throw new DlmcError(parser.problems);
  return module;
}

class Parser {
  readonly problems: Diagnostic[] = [];
  private readonly scan: Scanner;
  private readonly dims = new Map<string, Dim>();
  private readonly graphs: Graph[] = [];

  constructor(
    text: string,
    private readonly options: ParseOptions,
  ) {
    this.scan = new Scanner(text, options.file);
  }

  module(): Module {
    while (this.scan.accept("dim")) this.dimension();
    while (!this.scan.atEnd) this.graph();
    return { dims: this.dims, graphs: this.graphs, weights: this.options.weights ?? noWeights };
  }

  private dimension(): void {
    const name = this.scan.word();
    const bound = this.options.sizes?.get(name);
    let extent: Dim;
    if (this.scan.accept("in")) {
      const min = this.scan.number();
      this.scan.expect("..");
      extent = Dim.symbol(name, min, this.scan.number());
    } else if (this.scan.accept(">=")) extent = Dim.symbol(name, this.scan.number());
    else {
      this.scan.expect("=");
      extent = this.extent().named(name);
    }
    this.dims.set(name, bound === undefined || extent.key !== name ? extent : Dim.of(bound).named(name));
  }

  /** sum of products of numbers, names and floor(.../n). */
  private extent(): Dim {
    let sum = this.scan.accept("-") ? this.term().times(-1) : this.term();
    for (;;) {
      if (this.scan.accept("+")) sum = sum.plus(this.term());
      else if (this.scan.accept("-")) sum = sum.minus(this.term());
      else return sum;
    }
  }

  private term(): Dim {
    let result = this.atom();
    while (this.scan.accept("*")) result = result.times(this.atom());
    return result;
  }

  private atom(): Dim {
    if (this.scan.peekNumber) return Dim.of(this.scan.number());
    const offset = this.scan.offset;
    const name = this.scan.word();
    if (name === "floor") {
      this.scan.expect("(");
      const inner = this.extent();
      this.scan.expect("/");
      const divided = inner.floorDiv(this.scan.number());
      this.scan.expect(")");
      return divided;
    }
    const known = this.dims.get(name);
    if (known === undefined)
      this.scan.fail(
        `no dim is named ${name}; the header knows ${[...this.dims.keys()].join(", ") || "none"}`,
        offset,
      );
    return known!;
  }

  private type(): TensorType {
    const offset = this.scan.offset;
    const element = this.scan.word();
    if (!elements.includes(element))
      this.scan.fail(`expected an element type (${elements.join(", ")}), got ${element}`, offset);
    return { element: element as Element, shape: this.scan.list("[", "]", () => this.extent()) };
  }

  private graph(): void {
    this.scan.expect("graph");
    const name = this.scan.reference("@");
    const values = new Map<string, Value>();
    const define = (text: string, type: TensorType, offset: number): Value => {
      if (values.has(text)) this.scan.fail(`%${text} is defined twice`, offset, "module_c6");
      const value: Value = { type, hint: /^\d+$/.test(text) ? undefined : text };
      values.set(text, value);
      return value;
    };
    const inputs = this.scan.list("(", ")", () => {
      const offset = this.scan.offset;
      const text = this.scan.reference("%");
      this.scan.expect(":");
      return define(text, this.type(), offset);
    });
    this.scan.expect("{");
    const ops: Op[] = [];
    while (!this.scan.accept("return")) ops.push(this.op(values, define));
    const outputs: [string, Value][] = [];
    if (!this.scan.peek("}")) {
      do {
        const output = this.scan.word();
        this.scan.expect("=");
        outputs.push([output, this.use(values)]);
      } while (this.scan.accept(","));
    }
    this.scan.expect("}");
    this.graphs.push({
      name,
      inputs,
      ops,
      outputs: outputs.map(([, v]) => v),
      outputNames: outputs.map(([n]) => n),
    });
  }

  private use(values: ReadonlyMap<string, Value>): Value {
    const offset = this.scan.offset;
    const text = this.scan.reference("%");
    const value = values.get(text);
    if (value === undefined) this.scan.fail(`%${text} is not defined here`, offset, "module_c2");
    return value!;
  }

  private op(
    values: Map<string, Value>,
    define: (text: string, type: TensorType, offset: number) => Value,
  ): Op {
    const start = this.scan.offset;
    const results: { text: string; offset: number }[] = [];
    if (this.scan.peek("%")) {
      do results.push({ offset: this.scan.offset, text: this.scan.reference("%") });
      while (this.scan.accept(","));
      this.scan.expect("=");
    }
    const nameOffset = this.scan.offset;
    const name = this.scan.word();
    const operands: (Value | undefined)[] = [];
    if (this.scan.peek("%") || this.scan.peek("_")) {
      do operands.push(this.scan.accept("_") ? undefined : this.use(values));
      while (this.scan.accept(","));
    }
    const definition = definitionOf(name);
    if (definition === undefined) this.scan.fail(`no op is named ${name}`, nameOffset, "module_c4");
    const kinds = definition!.attributes as Record<string, AttributeKind<Attribute>>;
    const attributes: Record<string, Attribute> = {};
    if (this.scan.peek("{")) {
      this.scan.list("{", "}", () => {
        const offset = this.scan.offset;
        const key = this.scan.word();
        this.scan.expect("=");
        const kind = kinds[key];
        if (kind === undefined)
          this.scan.fail(
            `${name} has no attribute ${key}; it has ${Object.keys(kinds).join(", ") || "none"}`,
            offset,
          );
        attributes[key] = this.attribute(kind!);
      });
    }
    this.scan.expect(":");
    const types: TensorType[] = [];
    if (results.length > 0)
      do types.push(this.type());
      while (this.scan.accept(","));
    const typed = this.typed(name, operands, attributes, types, start);
    return {
      ...typed,
      results: results.map(({ text, offset }, i) =>
        define(text, typed.results[i]?.type ?? types[i]!, offset),
      ),
    };
  }

  private attribute(kind: AttributeKind<Attribute>): Attribute {
    switch (kind.kind) {
      case "int":
      case "float":
        return this.scan.signedNumber();
      case "bool":
        return this.scan.word() === "true";
      case "string":
        return kind.choices === undefined ? this.scan.string() : this.scan.word();
      case "dim":
        return this.extent();
      case "dims":
        return this.scan.list("[", "]", () => this.extent());
      default:
        return this.scan.list("[", "]", () => this.scan.signedNumber());
    }
  }

  /** The op with the types its rule gives; problems are recorded and the written types used to go on. */
  private typed(
    name: string,
    operands: readonly (Value | undefined)[],
    attributes: Attributes,
    written: readonly TensorType[],
    offset: number,
  ): Op {
    const before = this.problems.length;
    const problem = (code: string, message: string): void => {
      this.problems.push({
        severity: "error",
        code,
        message,
        offset,
        ...(this.options.file !== undefined && { file: this.options.file }),
      });
    };
    const definition = definitionOf(name)!;
    const misfit = signatureProblem(definition, operands, attributes);
    if (misfit !== undefined) problem("module_c4", misfit);
    const fallback: Op = {
      name,
      operands,
      attributes,
      results: written.map((type) => ({ type })),
      loc: nowhere,
    };
    if (this.problems.length > before) return fallback;
    const check: Check = {
      that(condition, label, message) {
        if (!condition) problem(label, message);
      },
      graph: (callee) => this.graphs.find((g) => g.name === callee),
    };
    try {
      const op = makeOp(name, operands, attributes, nowhere, check);
      if (this.problems.length > before) return fallback;
      const agree =
        op.results.length === written.length && op.results.every((v, i) => sameType(v.type, written[i]!));
      if (!agree)
        problem(
          "module_c3",
          `the rule of ${name} gives ${op.results.map((v) => typeText(v.type)).join(", ")}, written is ${written.map(typeText).join(", ")}`,
        );
      // Written types keep the labels of the header, which equality ignores.
      return { ...op, results: written.map((type) => ({ type })) };
    } catch (error) {
      if (!(error instanceof ConstraintError)) throw error;
      problem(error.label, error.message);
      return fallback;
    }
  }
}
