// Memory that values share: things that do not live at the same time may lie at the same place, in a few arenas, since
// some things must not share an arena at all (WebGPU: what one dispatch reads and what it writes).

/** A thing to place: when it lives (op numbers, both ends included), and what it must not share an arena with. */
export interface ArenaItem {
  readonly bytes: number;
  readonly from: number;
  readonly to: number;
  /** Values that ops of its lifetime's ends bind together with it. */
  readonly apart: Set<ArenaItem>;
  arena: number;
  offset: number;
}

/** A thing that is not placed yet. */
export function arenaItem(bytes: number, from: number, to: number): ArenaItem {
  return { bytes, from, to, apart: new Set(), arena: -1, offset: 0 };
}

/** Gives every item an arena and an offset; returns the arenas' sizes. */
export function assignArenas(items: readonly ArenaItem[], alignment: number): number[] {
  const arenas: ArenaItem[][] = [];
  const ordered = items.toSorted((a, b) => b.bytes - a.bytes || a.from - b.from);
  for (const item of ordered) {
    // The arena that grows least among those that hold nothing the item must stay apart from.
    let best: { arena: number; offset: number; growth: number } | undefined;
    arenas.forEach((placed, arena) => {
      if (placed.some((other) => item.apart.has(other))) return;
      const offset = lowestGap(item, placed, alignment);
      const growth = Math.max(0, offset + item.bytes - sizeOf(placed, alignment));
      if (best === undefined || growth < best.growth) best = { arena, offset, growth };
    });
    if (best === undefined) {
      best = { arena: arenas.length, offset: 0, growth: item.bytes };
      arenas.push([]);
    }
    item.arena = best.arena;
    item.offset = best.offset;
    arenas[best.arena]!.push(item);
  }
  return arenas.map((placed) => sizeOf(placed, alignment));
}

function sizeOf(placed: readonly ArenaItem[], alignment: number): number {
  return placed.reduce((size, { offset, bytes }) => Math.max(size, aligned(offset + bytes, alignment)), 0);
}

/** The next multiple of `alignment`. */
export function aligned(bytes: number, alignment: number): number {
  return Math.ceil(bytes / alignment) * alignment;
}

/** The lowest aligned offset where the item meets nothing that lives at the same time. */
function lowestGap(item: ArenaItem, placed: readonly ArenaItem[], alignment: number): number {
  const alive = placed
    .filter((other) => other.from <= item.to && item.from <= other.to)
    .toSorted((a, b) => a.offset - b.offset);
  let offset = 0;
  for (const other of alive) {
    if (offset + item.bytes <= other.offset) break;
    offset = Math.max(offset, aligned(other.offset + other.bytes, alignment));
  }
  return offset;
}
