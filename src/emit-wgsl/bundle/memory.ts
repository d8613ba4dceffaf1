// Where the values of a graph lie while it runs. Values that are never alive together share bytes. WebGPU takes a
// buffer either as read-only or as writable within one dispatch, whatever the ranges, so there are a few arenas
// and what a dispatch writes is never in an arena that it reads.

import { bug } from "../../support/diagnostic.js";

/** A value that dispatches write and read; positions of dispatches, the last use included. */
export interface Lifetime {
  readonly bytes: number;
  readonly first: number;
  readonly last: number;
}

/** Numbers of values. */
export interface Traffic {
  readonly reads: readonly number[];
  readonly writes: readonly number[];
}

export interface ArenaPlace {
  readonly arena: number;
  readonly offset: number;
}

/** Where each value lies, and how large each arena is. */
export interface ArenaPlan {
  readonly places: readonly ArenaPlace[];
  readonly sizes: readonly number[];
}

/**
 * Greedy: in the order of their first use, the largest first, each value goes where its arena grows least: the
 * lowest gap among the values alive with it. Offsets are multiples of `alignment`.
 */
export function planArenas(
  values: readonly Lifetime[],
  dispatches: readonly Traffic[],
  alignment: number,
): ArenaPlan {
  const places: (ArenaPlace | undefined)[] = values.map(() => undefined);
  const sizes: number[] = [];
  const conflicts = conflictsOf(values.length, dispatches);
  const order = values.map((_, i) => i);
  order.sort((p, q) => values[p]!.first - values[q]!.first || values[q]!.bytes - values[p]!.bytes || p - q);
  for (const i of order) {
    const value = values[i]!;
    const taken = new Set([...conflicts[i]!].map((other) => places[other]?.arena));
    let best: (ArenaPlace & { readonly growth: number }) | undefined;
    for (let arena = 0; arena <= sizes.length; arena++) {
      if (taken.has(arena)) continue;
      const alive = order
        .filter((k) => places[k]?.arena === arena && overlap(values[k]!, value))
        .map((k) => ({ from: places[k]!.offset, to: places[k]!.offset + values[k]!.bytes }))
        .sort((a, b) => a.from - b.from);
      const offset = lowestGap(alive, value.bytes, alignment);
      const growth = Math.max(0, offset + value.bytes - (sizes[arena] ?? 0));
      if (best === undefined || growth < best.growth) best = { arena, offset, growth };
    }
    const { arena, offset } = best ?? bug("no arena takes a value");
    places[i] = { arena, offset };
    sizes[arena] = Math.max(sizes[arena] ?? 0, offset + value.bytes);
  }
  return { places: places as ArenaPlace[], sizes };
}

function overlap(a: Lifetime, b: Lifetime): boolean {
  return a.first <= b.last && b.first <= a.last;
}

/** The lowest multiple of `alignment` from which `bytes` are free. */
function lowestGap(
  alive: readonly { readonly from: number; readonly to: number }[],
  bytes: number,
  alignment: number,
): number {
  let offset = 0;
  for (const { from, to } of alive) {
    if (offset + bytes <= from) return offset;
    offset = Math.max(offset, Math.ceil(to / alignment) * alignment);
  }
  return offset;
}

/** For each value, those that a dispatch reads while it writes the value, and the reverse. */
function conflictsOf(count: number, dispatches: readonly Traffic[]): readonly Set<number>[] {
  const conflicts = Array.from({ length: count }, () => new Set<number>());
  for (const { reads, writes } of dispatches)
    for (const written of writes)
      for (const read of reads) {
        if (written === read) continue;
        conflicts[written]!.add(read);
        conflicts[read]!.add(written);
      }
  return conflicts;
}
