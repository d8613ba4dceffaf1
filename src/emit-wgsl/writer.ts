// Writes one WGSL kernel: bindings as they are used, statements with their indentation, and each pure
// expression once (a second request for the same text in an open scope gets the name of the first).

import { type Element, numbersPer } from "../ir/tensor.js";
import {
  type Declared,
  declaration,
  loadFour,
  loadOne,
  storedBytes,
  storeFour,
  storeOne,
} from "./buffers.js";
import type { Binding, BufferRole, Kernel, Table } from "./dispatch.js";
import type { Features, Limits } from "./limits.js";
import { identifier } from "./names.js";

/** What a register holds: f16 is computed in f32. */
export function registerType(element: Element, lanes: 1 | 4 = 1): string {
  const scalar = element === "f16" ? "f32" : element === "c64" ? "vec2f" : element;
  return lanes === 1 ? scalar : scalar === "f32" ? "vec4f" : `vec4<${scalar}>`;
}

/** A WGSL f32 literal; the nearest f32, exactly. */
export function float(value: number): string {
  const text = String(Math.fround(value));
  return /[.e]/.test(text) ? text : `${text}.0`;
}

/** The fixed facts of a kernel, given when it is finished. */
export interface KernelFacts {
  readonly name: string;
  /** Lines of the comment at the top: what, shapes, equation. */
  readonly comment: readonly string[];
  readonly grid: readonly [number, number, number];
  readonly workgroupSize: readonly [number, number, number];
  /** Where the footprint is not each binding once. */
  readonly bytesRead?: number;
  readonly bytesWritten?: number;
}

export class KernelWriter {
  private readonly declared = new Map<string, Declared>();
  private readonly tableData: Table[] = [];
  private readonly helpers = new Map<string, string>();
  private readonly shared: string[] = [];
  private readonly enabled = new Set<keyof Features>();
  private readonly body: string[] = [];
  private readonly used = new Set<string>();
  private readonly scopes: Map<string, string>[] = [new Map()];
  private sharedBytes = 0;
  private wantsSubgroup = false;

  constructor(
    readonly limits: Limits,
    readonly features: Features,
    /** 4: buffers whose length is a multiple of 4 are arrays of vec4. */
    readonly lanes: 1 | 4 = 1,
  ) {
    for (const name of ["local", "group", "lane"]) this.used.add(name);
  }

  // Statements.

  line(text: string): void {
    this.body.push(`${"  ".repeat(this.scopes.length)}${text}`);
  }

  /** `head { .. }`; what the block binds is forgotten after it. */
  block(head: string, write: () => void): void {
    this.line(`${head} {`);
    this.scopes.push(new Map());
    write();
    this.scopes.pop();
    this.line("}");
  }

  /** A `for` loop over a u32 from `first` below `end`; the body gets the loop variable. */
  loop(hint: string, first: string, end: string, step: number, write: (index: string) => void): void {
    const i = this.fresh(hint);
    const next = step === 1 ? `${i}++` : `${i} += ${step}u`;
    this.block(`for (var ${i} = ${first}; ${i} < ${end}; ${next})`, () => write(i));
  }

  /** An unused identifier near `hint`. */
  fresh(hint: string): string {
    const base = identifier(hint);
    let name = base;
    for (let k = 1; this.used.has(name); k++) name = `${base}_${k}`;
    this.used.add(name);
    return name;
  }

  /**
   * The name of a pure expression: the `let` of the same text in an open scope, else a new one. Not for
   * expressions that read a `var` assigned later in the same scope.
   */
  bind(expression: string, hint = "t"): string {
    if (/^[\w.]+$/.test(expression)) return expression;
    for (const scope of this.scopes) {
      const known = scope.get(expression);
      if (known !== undefined) return known;
    }
    const name = this.fresh(hint);
    this.line(`let ${name} = ${expression};`);
    this.scopes[this.scopes.length - 1]!.set(expression, name);
    return name;
  }

  /** `var name = init;` */
  variable(hint: string, init: string, type?: string): string {
    const name = this.fresh(hint);
    this.line(`var ${name}${type === undefined ? "" : `: ${type}`} = ${init};`);
    return name;
  }

  barrier(): void {
    this.line("workgroupBarrier();");
  }

  // Module scope.

  /** An array in workgroup memory. */
  workgroupArray(hint: string, type: string, length: number): string {
    const name = this.fresh(hint);
    this.shared.push(`var<workgroup> ${name}: array<${type}, ${length}>;`);
    this.sharedBytes += length * typeBytes(type);
    return name;
  }

  /** A function at module scope, once per name; `code` is its whole text. */
  helper(name: string, code: string): string {
    this.used.add(name);
    this.helpers.set(name, code);
    return name;
  }

  /** Enables subgroup functions; `subgroup_size` and `subgroup_lane` become names of the entry point. */
  subgroups(): void {
    this.wantsSubgroup = true;
    this.enabled.add("subgroups");
  }

  // Buffers.

  /**
   * Declares the buffer on first use and returns its WGSL name. A buffer that is written one element at a time
   * must have one lane: WGSL may write a whole vector for a component.
   */
  buffer(
    role: BufferRole,
    hint: string,
    element: Element,
    length: number,
    access: Binding["access"] = "read",
    lanes: 1 | 4 = this.lanes,
  ): string {
    const key = JSON.stringify(role);
    const known = this.declared.get(key);
    if (known !== undefined) {
      if (access === "read_write" && known.binding.access === "read")
        this.declared.set(key, { ...known, binding: { ...known.binding, access } });
      return known.binding.name;
    }
    const name = this.fresh(hint);
    const vector = lanes === 4 && length % 4 === 0 && (element === "f32" || element === "f16");
    // Two invocations could write halves of one word, so only what is read can be words.
    const words = element === "f16" && access === "read" && !this.features.f16;
    if (element === "f16" && !words) this.enabled.add("f16");
    this.declared.set(key, { binding: { role, name, element, length, access }, vector, words });
    return name;
  }

  /** A constant table the kernel brings along; read with `at`. */
  table(table: Table): BufferRole {
    if (!this.tableData.some((t) => t.name === table.name)) this.tableData.push(table);
    const role: BufferRole = { kind: "table", name: table.name };
    this.buffer(role, table.name, table.element, table.values.length / numbersPer(table.element));
    return role;
  }

  private of(role: BufferRole): Declared {
    return this.declared.get(JSON.stringify(role))!;
  }

  /** True when the buffer was declared as an array of vec4. */
  isVector(role: BufferRole): boolean {
    return this.of(role).vector;
  }

  /** The value of element `index` of a declared buffer, as a register holds it. */
  at(role: BufferRole, index: string): string {
    return loadOne(this.of(role), index, (text, hint) => this.bind(text, hint));
  }

  /** Four elements from `index`, a multiple of 4, of a buffer declared as an array of vec4. */
  at4(role: BufferRole, index: string): string {
    return loadFour(this.of(role), index, (text, hint) => this.bind(text, hint));
  }

  /** The statement that stores a register value. */
  put(role: BufferRole, index: string, value: string): void {
    this.line(storeOne(this.of(role), index, value));
  }

  put4(role: BufferRole, index: string, value: string): void {
    this.line(storeFour(this.of(role), index, value));
  }

  /** Tables the kernel uses. */
  get tables(): readonly Table[] {
    return this.tableData;
  }

  finish(facts: KernelFacts): Kernel {
    const all = [...this.declared.values()];
    const bytes = (wanted: Binding["access"]): number =>
      all
        .filter(({ binding }) => binding.access === wanted)
        .reduce((sum, { binding }) => sum + binding.length * storedBytes(binding.element), 0);
    const [x, y, z] = facts.workgroupSize;
    const arguments_ = [
      "@builtin(local_invocation_index) lane: u32",
      "@builtin(workgroup_id) group: vec3u",
      ...(this.wantsSubgroup
        ? [
            "@builtin(subgroup_size) subgroup_size: u32",
            "@builtin(subgroup_invocation_id) subgroup_lane: u32",
          ]
        : []),
    ];
    const code = [
      ...facts.comment.map((line) => `// ${line}`),
      "",
      ...[...this.enabled].map((feature) => `enable ${feature};\n`),
      ...all.map(declaration),
      ...(this.shared.length > 0 ? ["", ...this.shared] : []),
      ...[...this.helpers.values()].map((text) => `\n${text}`),
      "",
      `@compute @workgroup_size(${z > 1 ? `${x}, ${y}, ${z}` : y > 1 ? `${x}, ${y}` : x})`,
      `fn main(${arguments_.join(", ")}) {`,
      ...this.body,
      "}",
      "",
    ].join("\n");
    return {
      name: facts.name,
      code,
      bindings: all.map(({ binding }) => binding),
      grid: facts.grid,
      workgroupSize: facts.workgroupSize,
      workgroupBytes: this.sharedBytes,
      bytesRead: facts.bytesRead ?? bytes("read"),
      bytesWritten: facts.bytesWritten ?? bytes("read_write"),
      features: [...this.enabled],
    };
  }
}

/** Bytes of a WGSL scalar or vector type in an array. */
function typeBytes(type: string): number {
  if (type === "vec2f" || type === "vec2u") return 8;
  if (type === "vec4f" || type === "vec4u") return 16;
  return 4;
}
