// Which ops become one kernel. A group has at most one anchor (a reduction or an opaque op); what is elementwise
// after it runs when its kernel stores, what is elementwise, a view or a lookup before it runs when its kernel
// loads. Only fusion kinds are asked, never names.
//
//   epilogue   f(anchor(x), w) = stored once:   u joins the group of v when u = f(v, ..) has v's element count
//   prologue   anchor(f(x, w)): u is computed where it is read, when that is one place or u is cheap to repeat
//   otherwise  u is a kernel of its own, which takes in what comes before it in the same way
//
// A rounding head is one group of several anchors (head.ts). On request a contiguous part of a buffer stays a slice of
// its own, bound where it lies, so that equal kernels on other parts are the same kernel.

import { product } from "../../ir/dim.js";
import { type Graph, type Op, present, type Value } from "../../ir/graph.js";
import { definitionOf } from "../../ir/ops/index.js";
import { isPart } from "../../ir/part.js";
import { sameShape } from "../../ir/type.js";
import { headsOf } from "./head.js";

/** Ops that run together. */
export interface Group {
  /** The op that needs a kernel of its own; undefined for a loop over elements. */
  readonly anchor: Op | undefined;
  /** Ops whose results exist outside, in a buffer, where something reads them. */
  readonly owned: Set<Op>;
  /** Ops computed again wherever they are read. */
  readonly inlined: Set<Op>;
}

export interface FuseOptions {
  /** Buffers one kernel may bind; what every WebGPU device allows when left out. */
  readonly buffers?: number;
  /** Bytes one binding may have: of larger values only parts can be bound. WebGPU's default when left out. */
  readonly binding?: number;
  /** Leave slices that are parts of a buffer outside of groups, for back ends that bind parts. */
  readonly parts?: boolean;
}

/** Constants that are written into a kernel's text. */
const written = new Set(["constant", "literal", "iota"]);

/** What the pass may do with an op. `held`: stays as it is, outside of groups. */
type Role = "held" | "written" | "anchor" | "elementwise" | "view" | "gather";

export function roleOf(op: Op): Role {
  const { fusion } = definitionOf(op.name)!;
  if (op.name === "call") return "held";
  if (fusion === "constant") return written.has(op.name) ? "written" : "held";
  return fusion === "reduction" || fusion === "opaque" ? "anchor" : fusion;
}

/** The groups of a graph; ops in none of them are constants and calls. */
export function groupsOf(
  graph: Graph,
  { buffers = 8, binding = 2 ** 27, parts = false }: FuseOptions,
): Group[] {
  const grouping = new Grouping(graph, buffers);
  for (const { members, anchor } of headsOf(graph, roleOf)) grouping.foundHead(anchor, members);
  for (const op of graph.ops) {
    if (grouping.isOwned(op)) continue;
    if (roleOf(op) === "anchor") grouping.found(op);
    else grouping.tryEpilogue(op);
  }
  const isHeld = (op: Op): boolean => isPart(op) && (parts || 4 * sizeOf(op.operands[0]!) > binding);
  for (const op of graph.ops.toReversed()) if (!isHeld(op)) grouping.inlineOrFound(op);
  for (const op of graph.ops) grouping.tryJoin(op);
  return grouping.groups.filter((group) => group.owned.size > 0);
}

class Grouping {
  readonly groups: Group[] = [];
  private readonly producers = new Map<Value, Op>();
  private readonly users = new Map<Value, Op[]>();
  private readonly owner = new Map<Op, Group>();
  /** Groups that compute an inlined op. */
  private readonly holders = new Map<Op, Set<Group>>();
  private readonly outputs: ReadonlySet<Value>;

  constructor(
    graph: Graph,
    private readonly buffers: number,
  ) {
    this.outputs = new Set(graph.outputs);
    for (const op of graph.ops) {
      for (const result of op.results) this.producers.set(result, op);
      for (const value of new Set(present(op))) this.users.set(value, [...(this.users.get(value) ?? []), op]);
    }
  }

  /** A new group around an op. */
  found(op: Op): void {
    const anchor = roleOf(op) === "anchor" ? op : undefined;
    const group: Group = { anchor, owned: new Set([op]), inlined: new Set() };
    this.groups.push(group);
    this.owner.set(op, group);
  }

  /** A group of the anchors and scores of a rounding head, where its kernels can bind all they read. */
  foundHead(anchor: Op, members: ReadonlySet<Op>): void {
    const group: Group = { anchor, owned: new Set(members), inlined: new Set() };
    if (this.countBuffers(group) > this.buffers) return;
    this.groups.push(group);
    for (const member of members) this.owner.set(member, group);
  }

  isOwned(op: Op): boolean {
    return this.owner.has(op);
  }

  /** Puts an op behind the anchor whose result it takes, where it can run as that is stored. */
  tryEpilogue(op: Op): void {
    const role = roleOf(op);
    const isView = op.name === "reshape" || op.name === "transpose";
    if (role !== "elementwise" && !isView) return;
    const candidates = present(op).flatMap((value) => {
      const group = this.ownerOf(value);
      if (group?.anchor === undefined || !sameCount(value, op.results[0]!)) return [];
      // A view of something that is stored anyway costs less where it is read.
      return isView && (this.usersOf(value).length > 1 || this.outputs.has(value)) ? [] : [group];
    });
    const group = candidates
      .toSorted((a, b) => this.groups.indexOf(b) - this.groups.indexOf(a))
      .find((g) => this.canOwn(g, op));
    if (group !== undefined) this.own(group, op);
  }

  /** Decides for an op in no group, after all that read it: computed where it is read, or a group of its own. */
  inlineOrFound(op: Op): void {
    const role = roleOf(op);
    if (role === "held" || role === "written" || this.owner.has(op)) return;
    const targets = this.readersOf(op);
    if (targets === undefined || targets.size === 0 || !this.isWorthRepeating(op, targets)) {
      this.found(op);
      return;
    }
    const fits = [...targets].every((group) => this.buffersOf(group, op) <= this.buffers);
    if (!fits) {
      this.found(op);
      return;
    }
    for (const group of targets) group.inlined.add(op);
    this.holders.set(op, targets);
  }

  /** Joins an elementwise group to one that makes an operand of the same shape: one loop with several results. */
  tryJoin(op: Op): void {
    const group = this.owner.get(op);
    if (group === undefined || group.anchor !== undefined || group.owned.size > 1) return;
    for (const value of [...group.owned, ...group.inlined].flatMap(present)) {
      const other = this.ownerOf(value);
      if (other === undefined || other === group || other.anchor !== undefined) continue;
      if (!sameShape(value.type.shape, op.results[0]!.type.shape)) continue;
      const merged: Group = {
        anchor: undefined,
        owned: new Set([...other.owned, ...group.owned]),
        inlined: new Set([...other.inlined, ...group.inlined]),
      };
      const isInside = (v: Value): boolean => this.ownerOf(v) === other;
      const others = [...group.owned, ...group.inlined].flatMap(present).filter((v) => !isInside(v));
      if (this.countBuffers(merged) > this.buffers || others.some((v) => this.reaches(v, other))) continue;
      for (const member of group.owned) this.own(other, member);
      for (const member of group.inlined) {
        other.inlined.add(member);
        this.holders.get(member)?.add(other);
        this.holders.get(member)?.delete(group);
      }
      group.owned.clear();
      group.inlined.clear();
      return;
    }
  }

  private own(group: Group, op: Op): void {
    group.owned.add(op);
    this.owner.set(op, group);
  }

  private ownerOf(value: Value): Group | undefined {
    const op = this.producers.get(value);
    return op && this.owner.get(op);
  }

  private usersOf(value: Value): readonly Op[] {
    return this.users.get(value) ?? [];
  }

  /** True when nothing the op reads besides the group's own values waits for the group, and buffers suffice. */
  private canOwn(group: Group, op: Op): boolean {
    const others = present(op).filter((value) => this.ownerOf(value) !== group);
    if (others.some((value) => this.reaches(value, group))) return false;
    const grown: Group = { ...group, owned: new Set([...group.owned, op]) };
    return this.countBuffers(grown) <= this.buffers;
  }

  /** Whether computing `value` needs a result of the group; other groups are computed whole. */
  private reaches(value: Value, group: Group): boolean {
    const seen = new Set<Op>();
    const stack = [this.producers.get(value)];
    while (stack.length > 0) {
      const op = stack.pop();
      if (op === undefined || seen.has(op)) continue;
      seen.add(op);
      const owner = this.owner.get(op);
      if (owner === group) return true;
      for (const member of owner === undefined ? [op] : [...owner.owned, ...owner.inlined])
        stack.push(...present(member).map((v) => this.producers.get(v)));
      if (owner !== undefined) for (const member of owner.owned) seen.add(member);
    }
    return false;
  }

  /** Groups that read the op's results; undefined when something outside of groups does. */
  private readersOf(op: Op): Set<Group> | undefined {
    const targets = new Set<Group>();
    for (const result of op.results) {
      if (this.outputs.has(result)) return undefined;
      for (const user of this.usersOf(result)) {
        const groups = this.owner.has(user) ? [this.owner.get(user)!] : this.holders.get(user);
        if (groups === undefined) return undefined;
        for (const group of groups) targets.add(group);
      }
    }
    return targets;
  }

  /** Views cost nothing, nor does widening what is stored; a number is worth computing again where eight or more are made from it. */
  private isWorthRepeating(op: Op, targets: ReadonlySet<Group>): boolean {
    if (roleOf(op) === "view" || targets.size === 1 || this.widensStored(op)) return true;
    const size = sizeOf(op.results[0]!);
    return [...targets].every((group) => [...group.owned].every((o) => 8 * size <= sizeOf(o.results[0]!)));
  }

  /** A cast of a weight, or of a part of one: what a kernel does as it loads the number. */
  private widensStored(op: Op): boolean {
    if (op.name !== "cast") return false;
    const source = this.producers.get(op.operands[0]!);
    const stored = source !== undefined && isPart(source) ? this.producers.get(source.operands[0]!) : source;
    return stored?.name === "weight";
  }

  private buffersOf(group: Group, op: Op): number {
    return this.countBuffers({ ...group, inlined: new Set([...group.inlined, op]) });
  }

  /** Buffers the group's kernel binds: what it reads from outside, what it makes for outside, its own tables. */
  private countBuffers(group: Group): number {
    const members = new Set([...group.owned, ...group.inlined]);
    const isInside = (value: Value): boolean => {
      const op = this.producers.get(value);
      return op !== undefined && (members.has(op) || roleOf(op) === "written");
    };
    const readBy = (ops: Iterable<Op>): number =>
      new Set([...ops].flatMap(present).filter((value) => !isInside(value))).size;
    const made = [...group.owned]
      .flatMap((op) => op.results)
      .filter((value) => {
        return this.outputs.has(value) || this.usersOf(value).some((user) => !members.has(user));
      });
    const written = Math.max(1, made.length);
    const tables = [...members].filter((op) => tabled.has(op.name)).length;
    const ends = [...group.owned].filter((op) => roleOf(op) === "anchor");
    if (ends.length <= 1) return readBy(members) + written + tables;
    // A head is two kernels: one makes scores and leaves parts of the results, the other joins and stores them.
    const before = this.within(members, ends);
    const after = [...members].filter((op) => !before.has(op));
    return headScratch + tables + Math.max(readBy(before), readBy(after) + written);
  }

  /** The members that `ends` are computed from, themselves included. */
  private within(members: ReadonlySet<Op>, ends: readonly Op[]): ReadonlySet<Op> {
    const found = new Set<Op>();
    const stack = [...ends];
    for (let op = stack.pop(); op !== undefined; op = stack.pop()) {
      if (found.has(op)) continue;
      found.add(op);
      for (const value of present(op)) {
        const source = this.producers.get(value);
        if (source !== undefined && members.has(source)) stack.push(source);
      }
    }
    return found;
  }
}

/** Buffers between the kernels of a head that one of them binds. */
const headScratch = 1;

/** Ops whose kernels bring a table of their own. */
const tabled = new Set(["fft_conv", "rope"]);

function sizeOf(value: Value): number {
  return product(value.type.shape).min;
}

function sameCount(a: Value, b: Value): boolean {
  return product(a.type.shape).equals(product(b.type.shape));
}
