// What one ONNX file shares, whatever the nesting of its graphs: names, constants, the opset it needs.
import { createHash } from "node:crypto";
import { bug } from "../support/diagnostic.js";
import { type BuiltInitializer, type BuiltNode, valuesRead } from "./built-graph.js";
import { packNumbers } from "./bytes.js";
import { leastOpset, type RuntimeRelease, sinceVersion } from "./capability/opsets.js";
import type { OnnxValue } from "./value.js";
import type { WeightScope } from "./weight-pool.js";

/** Constants of at most this many bytes are stored in the ONNX file itself. */
const inlineBytes = 1024;

/** Choices of a build that lowerings ask about. */
export interface LoweringOptions {
  /** Write plain transforms as ONNX's DFT operator. */
  readonly dft: boolean;
}

/** Bytes for the ONNX file, or the wanted name of a tensor in the weight file. */
type Placement = Uint8Array | { readonly tensor: string };

export class FileState {
  readonly names = new Map<OnnxValue, string>();
  readonly domains = new Set<string>();
  private neededOpset = leastOpset;
  private readonly taken = new Set<string>();
  private readonly lastSuffix = new Map<string, number>();
  private readonly placements = new Map<OnnxValue, Placement>();
  private readonly byContent = new Map<string, OnnxValue>();

  constructor(
    readonly limits: RuntimeRelease,
    private readonly pool: WeightScope,
    readonly options: LoweringOptions,
  ) {}

  get opset(): number {
    return this.neededOpset;
  }

  /** Raises the file to the first opset that has the operator. */
  needOperator(op: string): void {
    if (sinceVersion("", op, this.limits.opset) === undefined)
      bug(`${op} does not exist in opset ${this.limits.opset}`);
    while (sinceVersion("", op, this.neededOpset) === undefined) this.neededOpset++;
  }

  /** Raises the file to `opset` where the bound allows; whether it does. */
  raiseTo(opset: number): boolean {
    if (this.limits.opset < opset) return false;
    this.neededOpset = Math.max(this.neededOpset, opset);
    return true;
  }

  /** `wanted`, or `wanted.1`, `wanted.2` .. when it is taken. */
  unique(wanted: string): string {
    let name = wanted;
    let suffix = this.lastSuffix.get(wanted) ?? 0;
    while (this.taken.has(name)) name = `${wanted}.${++suffix}`;
    this.lastSuffix.set(wanted, suffix);
    this.taken.add(name);
    return name;
  }

  /** Names a value; a name that is taken gets a number. */
  name(value: OnnxValue, wanted: string): OnnxValue {
    this.names.set(value, this.unique(wanted));
    return value;
  }

  /** The value that stands for a constant in this file: itself, or an equal one that is there already. */
  store(value: OnnxValue): OnnxValue {
    if (value.constant === undefined || this.placements.has(value)) return value;
    const { weight } = value.constant;
    const bytes =
      weight === undefined ? packNumbers(value.type.element, value.constant.read().data) : undefined;
    const content = bytes === undefined ? `weight ${weight}` : digestOf(value, bytes);
    const known = this.byContent.get(content);
    if (known !== undefined) return known;
    this.byContent.set(content, value);
    if (bytes === undefined) this.placements.set(value, { tensor: weight! });
    else if (bytes.byteLength <= inlineBytes) this.placements.set(value, bytes);
    else this.placements.set(value, { tensor: `${value.name}.${content.slice(0, 12)}` });
    return this.name(value, weight ?? value.name);
  }

  /** The constants that the nodes of the outermost graph read; large ones enter the weight pool here. */
  initializers(nodes: readonly BuiltNode[]): readonly BuiltInitializer[] {
    const read = new Set(valuesRead(nodes));
    return [...this.placements]
      .filter(([value]) => read.has(value))
      .map(([value, placement]) => ({
        value,
        data: "tensor" in placement ? this.pooled(value, placement.tensor) : placement,
      }));
  }

  private pooled(value: OnnxValue, name: string): string {
    return this.pool.add(name, value.type.element, extents(value), () => value.constant!.read());
  }
}

function extents({ name, type }: OnnxValue): number[] {
  return type.shape.map((extent) => extent.value ?? bug(`constant ${name} has the extent ${extent}`));
}

function digestOf(value: OnnxValue, bytes: Uint8Array): string {
  return createHash("sha256")
    .update(`${value.type.element}[${extents(value)}]`)
    .update(bytes)
    .digest("hex");
}
