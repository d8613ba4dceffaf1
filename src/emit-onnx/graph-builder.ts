// Builds one ONNX graph: typed values, nodes named after the description's JSON pointers, constants that are
// stored only when a node uses them, subgraphs that see the values around them.
import { type Dim, dim } from "../ir/dim.js";
import { type Loc, nowhere } from "../ir/graph.js";
import { tensor } from "../ir/tensor.js";
import type { OnnxAttribute } from "./attributes.js";
import { type BuiltGraph, type BuiltNode, liveNodes } from "./built-graph.js";
import { type RuntimeRelease, sinceVersion } from "./capability/opsets.js";
import { FileState, type LoweringOptions } from "./file-state.js";
import { peephole } from "./peephole.js";
import type { OnnxElement } from "./proto/messages.js";
import type { OnnxConstant, OnnxType, OnnxValue } from "./value.js";
import type { WeightScope } from "./weight-pool.js";

export class GraphBuilder {
  private readonly inputs: OnnxValue[] = [];
  private readonly nodes: BuiltNode[] = [];
  private loc: Loc = nowhere;
  /** Sources of reshapes, so that chains of them collapse. */
  readonly reshapedFrom = new Map<OnnxValue, OnnxValue>();
  private readonly views = new Map<OnnxValue, Map<string, OnnxValue>>();
  private readonly memo = new Map<string, OnnxValue>();

  private constructor(
    readonly name: string,
    private readonly file: FileState,
    private readonly parent?: GraphBuilder,
  ) {}

  /** A file's outermost graph. `limits` bounds opset and IR version; `pool` takes the large constants. */
  static create(
    name: string,
    limits: RuntimeRelease,
    pool: WeightScope,
    options: LoweringOptions = { dft: false },
  ): GraphBuilder {
    return new GraphBuilder(name, new FileState(limits, pool, options));
  }

  /** A graph for an attribute (a loop body); it sees the values of this one. */
  subgraph(name: string): GraphBuilder {
    return new GraphBuilder(name, this.file, this);
  }

  /** Nodes made from now on belong to this place of the description. */
  at(loc: Loc): void {
    this.loc = loc;
  }

  /** Whether an operator exists within the opset bound. */
  has(op: string): boolean {
    return sinceVersion("", op, this.file.limits.opset) !== undefined;
  }

  /** Raises the file to `opset` where the bound allows; whether it does. */
  atLeastOpset(opset: number): boolean {
    return this.file.raiseTo(opset);
  }

  get options(): LoweringOptions {
    return this.file.options;
  }

  input(name: string, type: OnnxType): OnnxValue {
    const value = this.file.name({ type, name }, name);
    this.inputs.push(value);
    return value;
  }

  /** A graph input with the symbol `extent` as one axis, to read its size from. */
  inputWith(extent: Dim): { readonly value: OnnxValue; readonly axis: number } | undefined {
    for (const value of this.inputs) {
      const axis = value.type.shape.findIndex((d) => d.equals(extent));
      if (axis >= 0) return { value, axis };
    }
    return this.parent?.inputWith(extent);
  }

  /** A constant from a lazily read tensor of a known, numeric shape. */
  constant(name: string, type: OnnxType, constant: OnnxConstant): OnnxValue {
    return { type, name, constant };
  }

  /** A constant from numbers. */
  literal(
    element: OnnxElement,
    shape: readonly number[],
    numbers: readonly number[],
    name = "constant",
  ): OnnxValue {
    const held = tensor("f32", shape, Float64Array.from(numbers));
    return this.constant(name, { element, shape: shape.map((n) => dim(n)) }, { read: () => held });
  }

  /** The shared int64 vector that shapes, axes, starts and pads need. */
  integers(values: readonly number[]): OnnxValue {
    const text = values.join("_");
    return this.memoized(`integers ${text}`, () =>
      this.literal("int64", [values.length], values, `ints_${text}`),
    );
  }

  /** The reshape or transpose of a value made under this key before, or now. */
  viewOf(source: OnnxValue, key: string, make: () => OnnxValue): OnnxValue {
    const views = this.views.get(source) ?? new Map<string, OnnxValue>();
    this.views.set(source, views);
    const view = views.get(key) ?? make();
    views.set(key, view);
    return view;
  }

  /** The value made under this key before, or now. Keys live as long as the graph. */
  memoized(key: string, make: () => OnnxValue): OnnxValue {
    const known = this.memo.get(key);
    if (known !== undefined) return known;
    const made = make();
    this.memo.set(key, made);
    return made;
  }

  /** One node with one result. */
  node(
    op: string,
    inputs: readonly (OnnxValue | undefined)[],
    type: OnnxType,
    attributes: Readonly<Record<string, OnnxAttribute>> = {},
    domain = "",
  ): OnnxValue {
    return this.nodeWithResults(op, inputs, [type], attributes, domain)[0]!;
  }

  /** One node with several results. */
  nodeWithResults(
    op: string,
    inputs: readonly (OnnxValue | undefined)[],
    types: readonly OnnxType[],
    attributes: Readonly<Record<string, OnnxAttribute>> = {},
    domain = "",
  ): readonly OnnxValue[] {
    if (domain === "") this.file.needOperator(op);
    this.file.domains.add(domain);
    const path = this.loc.pointer.replace(/^\//, "").replaceAll("~1", "_").replaceAll("/", ".");
    const name = this.file.unique(path === "" ? op : `${path}/${op}`);
    const outputs = types.map((type, i): OnnxValue => {
      const value = { type, name };
      if (types.length > 1) return this.file.name(value, `${name}.out${i}`);
      this.file.names.set(value, name);
      return value;
    });
    const used = inputs.map((value) => value && this.file.store(value));
    this.nodes.push({ op, domain, inputs: used, outputs, attributes, name, pointer: this.loc.pointer });
    return outputs;
  }

  /**
   * Closes the graph. Outputs get their public names (through Identity where a value is an input, a constant
   * or already an output), and nodes that lead nowhere are dropped.
   */
  finish(outputs: readonly { readonly name: string; readonly value: OnnxValue }[]): BuiltGraph {
    this.loc = nowhere;
    const made = new Set(this.nodes.flatMap((node) => node.outputs));
    const results: OnnxValue[] = [];
    for (const { name, value } of outputs) {
      const own = made.has(value) && !results.includes(value);
      const result = own ? value : this.node("Identity", [value], value.type);
      results.push(this.file.name(result, name));
    }
    const nodes = this.improved(liveNodes(this.nodes, results), results);
    return {
      name: this.name,
      inputs: this.inputs,
      outputs: results,
      nodes,
      initializers: this.parent === undefined ? this.file.initializers(nodes) : [],
      names: this.file.names,
      opset: this.file.opset,
      domains: this.file.domains,
    };
  }

  private improved(nodes: readonly BuiltNode[], outputs: readonly OnnxValue[]): readonly BuiltNode[] {
    return peephole(nodes, outputs, {
      integers: (values) => this.file.store(this.integers(values)),
      unread: (type) => this.file.name({ type, name: "unread" }, "unread"),
      name: (model, op) => this.file.unique(model.name.replace(/[^/]*$/, op)),
    });
  }
}
