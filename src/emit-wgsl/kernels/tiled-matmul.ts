// Large matrix products, tiled: slabs of K go through workgroup memory as vec4f along k. An invocation makes all rows of
// its tile for one column, or four neighbours: a's vectors are then the same for the whole workgroup (one read that
// is broadcast, on a GPU and on a CPU driver alike), and 16 x 4 results take 64 dot products for 20 vector reads.
//
// With four columns, column n of a slab lies at (n % 4) threads + n / 4, so neighbouring invocations read
// neighbouring vectors (no bank conflicts) and still store four neighbours of y at once.

import type { Implementation } from "../kernel.js";
import { operand, plus, times } from "../place.js";
import { single } from "../single.js";
import type { Product } from "./product.js";

/** k values of one slab. Deeper slabs unroll to code that a CPU driver takes seconds to compile, for no speed. */
const slab = 8;

/** A tile of y: `rows` x `threads` * `columns`. Every invocation has all its rows and `columns` of its columns. */
interface Tile {
  readonly rows: number;
  readonly threads: number;
  readonly columns: 1 | 4;
}

/**
 * The tile with the least work: rows and columns beyond the matrix count, so do slab loads, and so do
 * processors left idle when there are fewer than 64 workgroups.
 */
function chooseTile(batch: number, m: number, n: number): Tile {
  const cost = ({ rows, threads, columns }: Tile): number => {
    const width = threads * columns;
    const groups = batch * Math.ceil(m / rows) * Math.ceil(n / width);
    return (groups * rows * width * (1 + 8 / rows + 8 / width + 1 / columns)) / Math.min(1, groups / 64);
  };
  const tiles = [4, 8, 16].flatMap((rows) =>
    ([1, 4] as const).flatMap((columns) => [32, 64].map((threads): Tile => ({ rows, threads, columns }))),
  );
  return tiles.reduce((best, tile) => (cost(tile) < cost(best) ? tile : best));
}

export function tiled(p: Product): Implementation {
  const { batch, m, k, n, transposed } = p;
  const { rows, threads, columns } = chooseTile(batch, m, n);
  const width = threads * columns;
  const wideA = k % 4 === 0 ? 4 : 1;
  const wideB = (transposed ? k : n) % 4 === 0 ? 4 : 1;
  const stores = columns === 4 && n % 4 === 0 ? 4 : 1;
  const ends = p.open(wideA === 4 || wideB === 4 ? 4 : 1, stores);
  const { writer: w } = ends;
  const z = batch === 1 ? "0u" : "group.z";
  w.line(`// This workgroup's tile of y, ${rows} x ${width}; an invocation has ${columns} of its columns.`);
  const m0 = w.bind(times("group.y", rows), "row_tile");
  const n0 = w.bind(times("group.x", width), "column_tile");
  const aTile = w.workgroupArray("a_slab", "vec4f", (slab / 4) * rows);
  const bTile = w.workgroupArray("b_slab", "vec4f", (slab / 4) * width);
  const sum = w.zero("sum", `array<${columns === 4 ? "vec4f" : "f32"}, ${rows}>`);
  /** Where column i of the tile lies in its slab. */
  const spot = (q: string, i: string): string =>
    columns === 1
      ? plus(times(q, width), i)
      : plus(times(q, width), times(`${operand(i)} % 4u`, threads), `${operand(i)} / 4u`);
  const clamped = (text: string, most: number): string => `min(${text}, ${most}u)`;

  w.loop("k0", "0u", `${k}u`, slab, (k0) => {
    const inner = (from: string, none: string, value: (at: string) => string, step: 1 | 4): string =>
      k % slab === 0
        ? value(from)
        : `select(${none}, ${value(w.bind(clamped(from, k - step)))}, ${from} < ${k}u)`;
    const alongK = (load: (at: string, lanes: 1 | 4) => string, from: string, wide: 1 | 4): string => {
      if (wide === 4) return inner(from, "vec4f()", (at) => load(at, 4), 4);
      const parts = [0, 1, 2, 3].map((j) =>
        inner(w.bind(plus(from, `${j}u`)), "0.0", (at) => load(at, 1), 1),
      );
      return `vec4f(${parts.join(", ")})`;
    };
    /** Copies `size` lines of a slab, a vector along k each time. */
    const fill = (size: number, copy: (i: string, q: string, from: string) => void): void =>
      w.loop("s", "lane", `${(slab / 4) * size}u`, threads, (s) => {
        const i = w.bind(`${s} / ${slab / 4}u`, "i");
        const q = w.bind(`${s} % ${slab / 4}u`, "q");
        copy(i, q, w.bind(plus(k0, times(q, 4)), "k"));
      });
    fill(rows, (i, q, from) => {
      const row = w.bind(clamped(plus(m0, i), m - 1), "row");
      w.line(
        `${aTile}[${plus(times(q, rows), i)}] = ${alongK((at, lanes) => ends.a(z, row, at, lanes), from, wideA)};`,
      );
    });
    if (transposed || wideB === 1)
      fill(width, (i, q, from) => {
        const column = w.bind(clamped(plus(n0, i), n - 1), "column");
        const value = alongK((at, lanes) => ends.b(z, at, column, lanes), from, transposed ? wideB : 1);
        w.line(`${bTile}[${spot(q, i)}] = ${value};`);
      });
    // b is [k, n]: four vectors along n, turned into four along k.
    else
      w.loop("s", "lane", `${(slab / 4) * (width / 4)}u`, threads, (s) => {
        const i = w.bind(times(`${s} % ${width / 4}u`, 4), "i");
        const q = w.bind(`${s} / ${width / 4}u`, "q");
        const from = w.bind(plus(k0, times(q, 4)), "k");
        const column = w.bind(clamped(plus(n0, i), n - 4), "column");
        const lines = [0, 1, 2, 3].map((j) =>
          w.bind(
            inner(w.bind(plus(from, `${j}u`)), "vec4f()", (at) => ends.b(z, at, column, 4), 1),
            "b_row",
          ),
        );
        for (let j = 0; j < 4; j++)
          w.line(
            `${bTile}[${spot(q, w.bind(plus(i, `${j}u`)))}] = vec4f(${lines.map((r) => `${r}.${"xyzw"[j]}`).join(", ")});`,
          );
      });
    w.barrier();
    w.loop("q", "0u", `${slab / 4}u`, 1, (q) => {
      const b = Array.from({ length: columns }, (_, j) =>
        w.bind(`${bTile}[${plus(times(q, width), `${j * threads}u`, "lane")}]`, `b_${j}`),
      );
      for (let i = 0; i < rows; i++) {
        const a = w.bind(`${aTile}[${plus(times(q, rows), `${i}u`)}]`, `a_${i}`);
        const dots = b.map((v) => `dot(${a}, ${v})`).join(", ");
        w.line(`${sum}[${i}] += ${columns === 4 ? `vec4f(${dots})` : dots};`);
      }
    });
    w.barrier();
  });

  const column = w.bind(plus(n0, times("lane", columns)), "n");
  const storeRow = (row: string, value: string): void => {
    if (stores === 4 || columns === 1) ends.store(z, row, column, stores, value);
    else
      w.loop("j", "0u", `${columns}u`, 1, (j) => {
        const at = w.bind(plus(column, j), "n");
        const one = (): void => ends.store(z, row, at, 1, `${value}[${j}]`);
        n % width === 0 ? one() : w.block(`if (${at} < ${n}u)`, one);
      });
  };
  const storeRows = (): void =>
    w.loop("i", "0u", `${rows}u`, 1, (i) => {
      const row = w.bind(plus(m0, i), "m");
      m % rows === 0
        ? storeRow(row, `${sum}[${i}]`)
        : w.block(`if (${row} < ${m}u)`, () => storeRow(row, `${sum}[${i}]`));
    });
  if (n % width === 0 || (columns === 4 && stores === 1)) storeRows();
  else w.block(`if (${column} < ${n}u)`, storeRows);
  const kernel = w.finish({
    name: p.name,
    comment: p.comment,
    grid: [Math.ceil(n / width), Math.ceil(m / rows), batch],
    workgroupSize: [threads, 1, 1],
  });
  return single(w, kernel);
}
