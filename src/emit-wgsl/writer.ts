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
import { typeBytes, wrapped } from "./literals.js";
import { identifier } from "./names.js";

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

/** An open block: expressions that have a name, and the names that end with it. */
interface Scope {
  readonly known: Map<string, string>;
  readonly names: string[];
}

export class KernelWriter {
  private readonly declared = new Map<string, Declared>();
  private readonly tableData: Table[] = [];
  private readonly helpers = new Map<string, string>();
  private readonly shared: string[] = [];
  private readonly enabled = new Set<keyof Features>();
  private readonly body: string[] = [];
  private readonly used = new Set<string>();
  private readonly scopes: Scope[] = [{ known: new Map(), names: [] }];
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

  /** `head { .. }`; what the block binds is forgotten after it. An `else` follows the brace before it. */
  block(head: string, write: () => void): void {
    if (head.startsWith("else") && this.body.at(-1)?.trim() === "}")
      this.body.push(`${this.body.pop()} ${head} {`);
    else this.line(`${head} {`);
    this.scopes.push({ known: new Map(), names: [] });
    write();
    for (const name of this.scopes.pop()!.names) this.used.delete(name);
    this.line("}");
  }

  /** A `for` loop over a u32 from `first` below `end`; the body gets the loop variable. */
  loop(hint: string, first: string, end: string, step: number, write: (index: string) => void): void {
    const i = this.fresh(hint);
    const next = step === 1 ? `${i}++` : `${i} += ${step}u`;
    this.block(`for (var ${i} = ${first}; ${i} < ${end}; ${next})`, () => write(i));
    this.used.delete(i);
  }

  /** An unused identifier near `hint` for the open block. */
  private local(hint: string): string {
    const name = this.fresh(hint);
    this.scopes.at(-1)!.names.push(name);
    return name;
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
    for (const { known } of this.scopes) {
      const name = known.get(expression);
      if (name !== undefined) return name;
    }
    const name = this.local(hint);
    this.line(`let ${name} = ${expression};`);
    this.scopes.at(-1)!.known.set(expression, name);
    return name;
  }

  /** `var name = init;` */
  variable(hint: string, init: string): string {
    const name = this.local(hint);
    this.line(`var ${name} = ${init};`);
    return name;
  }

  /**
   * `var name = type();`, zero. WGSL makes a var without an initialiser zero too, but with it left out SwiftShader
   * computed one case of the FFTs (500 samples by 2x9x28) with an error of 0.08; why was not found.
   */
  zero(hint: string, type: string): string {
    return this.variable(hint, `${type}()`);
  }

  /** `var name: type;`, of which every element is assigned before it is read. */
  unset(hint: string, type: string): string {
    const name = this.local(hint);
    this.line(`var ${name}: ${type};`);
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

  /** A list at module scope, once per contents; its name. */
  constants(hint: string, type: string, values: readonly string[]): string {
    const text = `array<${type}, ${values.length}>(\n${wrapped(values)}\n);`;
    const known = [...this.helpers].find(([, code]) => code.endsWith(`= ${text}`));
    if (known !== undefined) return known[0];
    const name = this.fresh(hint);
    return this.helper(name, `const ${name} = ${text}`);
  }

  /** Enables subgroup functions; `subgroup_size` and `subgroup_lane` become names of the entry point. */
  subgroups(): void {
    this.wantsSubgroup = true;
    this.enabled.add("subgroups");
  }

  // Buffers.

  /**
   * Declares the buffer on first use and returns its WGSL name; `note` says in the code what lies in it. A buffer that
   * is written one element at a time must have one lane: WGSL may write a whole vector for a component.
   */
  buffer(
    role: BufferRole,
    hint: string,
    element: Element,
    length: number,
    access: Binding["access"] = "read",
    lanes: 1 | 4 = this.lanes,
    note = `[${length}]`,
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
    this.declared.set(key, { binding: { role, name, element, length, access }, note, vector, words });
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
