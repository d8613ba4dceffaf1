// Builds one ONNX graph: typed values, nodes named after the description's JSON pointers, constants that are
// stored only when a node uses them, subgraphs that see the values around them.
import { createHash } from "node:crypto";
import type { Dim } from "../ir/dim.js";
import { dim } from "../ir/dim.js";
import { type Loc, nowhere } from "../ir/graph.js";
import { type Tensor, tensor } from "../ir/tensor.js";
import { bug } from "../support/diagnostic.js";
import type { OnnxAttribute } from "./attributes.js";
import { packNumbers } from "./bytes.js";
import { leastOpset, type RuntimeRelease, sinceVersion } from "./capability/opsets.js";
import { peephole } from "./peephole.js";
import type { OnnxElement } from "./proto/messages.js";
import type { OnnxConstant, OnnxType, OnnxValue } from "./value.js";
import type { WeightScope } from "./weight-pool.js";

/** Constants of at most this many bytes are stored in the ONNX file itself. */
const inlineBytes = 1024;

export interface BuiltNode {
  readonly op: string;
  readonly domain: string;
  readonly inputs: readonly (OnnxValue | undefined)[];
  readonly outputs: readonly OnnxValue[];
  readonly attributes: Readonly<Record<string, OnnxAttribute>>;
  readonly name: string;
  readonly pointer: string;
}

export interface BuiltInitializer {
  readonly value: OnnxValue;
  /** Packed bytes, or the name of a tensor of the weight pool. */
  readonly data: Uint8Array | string;
}

export interface BuiltGraph {
  readonly name: string;
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
  readonly nodes: readonly BuiltNode[];
  /** Empty for subgraphs: constants live in the outermost graph. */
  readonly initializers: readonly BuiltInitializer[];
  /** Final names of every value, subgraphs included. */
  readonly names: ReadonlyMap<OnnxValue, string>;
  /** The least opset all nodes (also of subgraphs) need. */
  readonly opset: number;
  readonly domains: ReadonlySet<string>;
}

/** Choices of a build that lowerings ask about. */
export interface LoweringOptions {
  /** Write plain transforms as ONNX's DFT operator. */
  readonly dft: boolean;
}

/** What a whole file shares, whatever the nesting of its graphs. */
interface FileState {
  readonly options: LoweringOptions;
  readonly limits: RuntimeRelease;
  readonly pool: WeightScope;
  readonly taken: Set<string>;
  readonly names: Map<OnnxValue, string>;
  readonly initializers: Map<OnnxValue, BuiltInitializer>;
  readonly inlineByContent: Map<string, OnnxValue>;
  readonly domains: Set<string>;
  opset: number;
}

export class GraphBuilder {
  private readonly inputs: OnnxValue[] = [];
  private readonly nodes: BuiltNode[] = [];
  private loc: Loc = nowhere;
  /** Sources of reshapes, so that chains of them collapse. */
  readonly reshapedFrom = new Map<OnnxValue, OnnxValue>();
  private readonly reshapesOf = new Map<OnnxValue, Map<string, OnnxValue>>();
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
    return new GraphBuilder(name, {
      options,
      limits,
      pool,
      taken: new Set(),
      names: new Map(),
      initializers: new Map(),
      inlineByContent: new Map(),
      domains: new Set(),
      opset: leastOpset,
    });
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
    if (this.file.limits.opset < opset) return false;
    this.file.opset = Math.max(this.file.opset, opset);
    return true;
  }

  get options(): LoweringOptions {
    return this.file.options;
  }

  input(name: string, type: OnnxType): OnnxValue {
    const value = { type, name };
    this.inputs.push(value);
    this.file.names.set(value, this.unique(name));
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

  /** Reshapes already made of a value, by their shape. */
  reshapes(source: OnnxValue): Map<string, OnnxValue> {
    const known = this.reshapesOf.get(source);
    if (known !== undefined) return known;
    const made = new Map<string, OnnxValue>();
    this.reshapesOf.set(source, made);
    return made;
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
    if (domain === "") this.need(op);
    this.file.domains.add(domain);
    const path = this.loc.pointer.replace(/^\//, "").replaceAll("~1", "_").replaceAll("/", ".");
    const name = this.unique(path === "" ? op : `${path}/${op}`);
    const outputs = types.map((type, i): OnnxValue => {
      const value = { type, name };
      this.file.names.set(value, types.length === 1 ? name : this.unique(`${name}.out${i}`));
      return value;
    });
    const used = inputs.map((value) =>
      value?.constant === undefined ? value : this.store(value, value.constant),
    );
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
      const wanted = this.unique(name);
      this.file.names.set(result, wanted);
      results.push(result);
    }
    const nodes = this.improved(live(this.nodes, results), results);
    return {
      name: this.name,
      inputs: this.inputs,
      outputs: results,
      nodes,
      initializers: this.parent === undefined ? this.usedInitializers(nodes, results) : [],
      names: this.file.names,
      opset: this.file.opset,
      domains: this.file.domains,
    };
  }

  private improved(nodes: readonly BuiltNode[], outputs: readonly OnnxValue[]): readonly BuiltNode[] {
    return peephole(nodes, outputs, {
      integers: (values) => {
        const value = this.integers(values);
        return this.store(value, value.constant!);
      },
      unread: (type) => {
        const value = { type, name: "unread" };
        this.file.names.set(value, this.unique(value.name));
        return value;
      },
      name: (model, op) => this.unique(model.name.replace(/[^/]*$/, op)),
    });
  }

  private need(op: string): void {
    const limit = this.file.limits.opset;
    if (sinceVersion("", op, limit) === undefined) bug(`${op} does not exist in opset ${limit}`);
    let opset = this.file.opset;
    while (sinceVersion("", op, opset) === undefined) opset++;
    this.file.opset = opset;
  }

  private unique(wanted: string): string {
    let name = wanted;
    for (let n = 1; this.file.taken.has(name); n++) name = `${wanted}.${n}`;
    this.file.taken.add(name);
    return name;
  }

  private store(value: OnnxValue, constant: OnnxConstant): OnnxValue {
    const { initializers, names, pool, inlineByContent } = this.file;
    if (initializers.has(value)) return value;
    const shape = value.type.shape.map(
      (extent) => extent.value ?? bug(`constant ${value.name} has extent ${extent}`),
    );
    if (constant.weight !== undefined) {
      const key = `weight ${constant.weight}`;
      const known = inlineByContent.get(key);
      if (known !== undefined) return known;
      const stored = pool.add(constant.weight, value.type.element, shape, () => constant.read());
      names.set(value, this.unique(constant.weight));
      initializers.set(value, { value, data: stored });
      inlineByContent.set(key, value);
      return value;
    }
    const bytes = packNumbers(value.type.element, constant.read().data);
    const digest = createHash("sha256").update(`${value.type.element}[${shape}]`).update(bytes).digest("hex");
    const known = inlineByContent.get(digest);
    if (known !== undefined) return known;
    inlineByContent.set(digest, value);
    names.set(value, this.unique(value.name));
    if (bytes.byteLength <= inlineBytes) initializers.set(value, { value, data: bytes });
    else {
      const name = `${value.name}.${digest.slice(0, 12)}`;
      const stored = pool.add(name, value.type.element, shape, () => constant.read());
      initializers.set(value, { value, data: stored });
    }
    return value;
  }

  private usedInitializers(nodes: readonly BuiltNode[], outputs: readonly OnnxValue[]): BuiltInitializer[] {
    const used = new Set<OnnxValue>(outputs);
    const visit = (list: readonly BuiltNode[]): void => {
      for (const node of list) {
        for (const input of node.inputs) if (input !== undefined) used.add(input);
        for (const attribute of Object.values(node.attributes))
          if (attribute.kind === "graph") visit(attribute.value.nodes);
      }
    };
    visit(nodes);
    return [...this.file.initializers.values()].filter(({ value }) => used.has(value));
  }
}

/** The nodes some result needs, in order; a subgraph's needs count as its node's. */
function live(nodes: readonly BuiltNode[], results: readonly OnnxValue[]): BuiltNode[] {
  const needed = new Set<OnnxValue>(results);
  const mark = (node: BuiltNode): void => {
    for (const input of node.inputs) if (input !== undefined) needed.add(input);
    for (const attribute of Object.values(node.attributes))
      if (attribute.kind === "graph") {
        for (const inner of attribute.value.nodes) mark(inner);
        for (const output of attribute.value.outputs) needed.add(output);
      }
  };
  const kept: BuiltNode[] = [];
  for (const node of [...nodes].reverse()) {
    if (!node.outputs.some((output) => needed.has(output))) continue;
    mark(node);
    kept.push(node);
  }
  return kept.reverse();
}

/** Numbers of a constant, as a tensor of its shape. */
export function constantTensor(value: OnnxValue): Tensor | undefined {
  return value.constant?.read();
}
