// Matrix products. Large ones are tiled: slabs of K go through workgroup memory as vec4f along k. An invocation makes all rows of
// its tile for one column, or four neighbours: a's vectors are then the same for the whole workgroup (one read that
// is broadcast, on a GPU and on a CPU driver alike), and 16 x 4 results take 64 dot products for 20 vector reads.
//
// With four columns, column n of a slab lies at (n % 4) threads + n / 4, so neighbouring invocations read
// neighbouring vectors (no bank conflicts) and still store four neighbours of y at once.

import { count } from "../../ir/tensor.js";
import type { Implementation, Opened, Shaped, Sink, Source, WgslKernels } from "../kernel.js";
import type { Features, Limits } from "../limits.js";
import { axesPlace, flatPlace, operand, type Place, plus, rowPlace, times } from "../place.js";
import { type KernelWriter, single } from "../writer.js";
import { directProduct } from "./direct-matmul.js";
import { thinLinear } from "./thin-linear.js";

/** k values of one slab. Deeper slabs unroll to code that a CPU driver takes seconds to compile, for no speed. */
const slab = 8;

/** Products with fewer multiplications than this read straight from the buffers. */
const small = 2 ** 26;

/** The kernel by size. */
function product(p: Product): Implementation {
  return p.batch * p.m * p.n * p.k < small ? directProduct(p) : tiled(p);
}

/** A product y[z, m, n] = sum_k a[z, m, k] b[z, k, n] as the tiled kernel sees it. */
export interface Product {
  readonly name: string;
  readonly comment: readonly string[];
  readonly batch: number;
  readonly m: number;
  readonly k: number;
  readonly n: number;
  /** b is stored [n, k]: its vectors along k are neighbours in memory. */
  readonly transposed: boolean;
  readonly limits: Limits;
  readonly features: Features;
  open(lanes: 1 | 4, stores: 1 | 4): Ends;
}

/** What the tiled kernel reads and writes: elements by their matrix indices. */
export interface Ends {
  readonly writer: KernelWriter;
  a(z: string, m: string, k: string, lanes: 1 | 4): string;
  /** Lanes run along k when transposed, else along n. */
  b(z: string, k: string, n: string, lanes: 1 | 4): string;
  store(z: string, m: string, n: string, lanes: 1 | 4, value: string): void;
}

export const products = {
  linear(request) {
    const { x, weight, bias } = request.operandTypes;
    const [n, k] = weight.shape as [number, number];
    const m = count(x.shape) / k;
    const equation = `y = x weight^T${bias === undefined ? "" : " + bias"}`;
    const facts = {
      name: `linear_${m}x${k}_to_${n}${bias === undefined ? "" : "_bias"}${request.suffix}`,
      comment: [
        `${equation}: x [${m}, ${k}] (leading axes as one), weight [${n}, ${k}].`,
        ...request.around.map((line) => `  with ${line}`),
      ],
      m,
      k,
      n,
    };
    if (m <= 4) return thinLinear(request, facts);
    return product({
      ...facts,
      batch: 1,
      transposed: true,
      limits: request.limits,
      features: request.features,
      open(lanes, stores) {
        const { writer, operands, results } = request.open({ lanes, stores });
        const y = results[0]!;
        return {
          writer,
          a: (_, row, at, wide) => operands.x.load(rowPlace(operands.x.shape, row, at, wide)),
          b: (_, at, column, wide) =>
            operands.weight.load(axesPlace(operands.weight.shape, [column, at], wide)),
          store(_, row, column, wide, value) {
            const b = operands.bias?.load(axesPlace([n], [column], wide));
            y.store(rowPlace(y.shape, row, column, wide), b === undefined ? value : `${value} + ${b}`);
          },
        };
      },
    });
  },

  matmul(request) {
    const { transpose_b } = request.attributes;
    const { a, b } = request.operandTypes;
    const result = request.resultTypes[0]!;
    const [rows, k] = a.shape.slice(-2) as [number, number];
    const n = result.shape[result.shape.length - 1]!;
    // Without a batch of its own, b serves all rows of a: one product of more rows.
    const joined = count(b.shape.slice(0, -2)) === 1 && a.shape.length === result.shape.length;
    const batch = joined ? 1 : count(result.shape.slice(0, -2));
    const m = joined ? count(a.shape) / k : rows;
    return product({
      name: `matmul_${batch === 1 ? "" : `${batch}x`}${m}x${k}${transpose_b ? "_transposed" : ""}_to_${n}${request.suffix}`,
      comment: [
        `y[z, m, n] = sum_k a[z, m, k] b[z, ${transpose_b ? "n, k" : "k, n"}]: ${batch} x [${m}, ${k}] by [${transpose_b ? `${n}, ${k}` : `${k}, ${n}`}].`,
        ...request.around.map((line) => `  with ${line}`),
      ],
      batch,
      m,
      k,
      n,
      transposed: transpose_b,
      limits: request.limits,
      features: request.features,
      open(lanes, stores) {
        const opened = request.open({ lanes, stores });
        return { writer: opened.writer, ...matrices(opened, result, joined, transpose_b) };
      },
    });
  },
} satisfies WgslKernels;

/** Element access of a batched product whose leading axes broadcast. */
function matrices(
  { operands: { a, b }, results }: Opened<"matmul">,
  result: Shaped,
  joined: boolean,
  transposed: boolean,
): Omit<Ends, "writer"> {
  const y: Sink = results[0]!;
  const leading = result.shape.slice(0, -2);
  const at = (shape: readonly number[], z: string, row: string, column: string, lanes: 1 | 4): Place => {
    const matrix = shape.slice(-2);
    const batch = flatPlace(leading, z);
    const axes = leading.map((_, axis) => batch.axis(axis));
    return axesPlace([...leading, ...matrix], [...axes, row, column], lanes);
  };
  const load = (source: Source, z: string, row: string, column: string, lanes: 1 | 4): string =>
    source.load(
      joined ? rowPlace(source.shape, row, column, lanes) : at(source.shape, z, row, column, lanes),
    );
  return {
    a: (z, m, k, lanes) => load(a, z, m, k, lanes),
    b: (z, k, n, lanes) => (transposed ? load(b, z, n, k, lanes) : load(b, z, k, n, lanes)),
    store: (z, m, n, lanes, value) =>
      y.store(joined ? rowPlace(y.shape, m, n, lanes) : at(y.shape, z, m, n, lanes), value),
  };
}

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
  const zero = columns === 4 ? "vec4f()" : "0.0";
  const sums = Array.from({ length: rows }, (_, i) => w.variable(`sum_${i}`, zero));
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
        w.line(`${sums[i]} += ${columns === 4 ? `vec4f(${dots})` : dots};`);
      }
    });
    w.barrier();
  });

  const column = w.bind(plus(n0, times("lane", columns)), "n");
  const storeRow = (row: string, sum: string): void => {
    if (stores === 4) ends.store(z, row, column, 4, sum);
    else
      for (let j = 0; j < columns; j++) {
        const at = w.bind(plus(column, `${j}u`), "n");
        const one = (): void => ends.store(z, row, at, 1, columns === 4 ? `${sum}.${"xyzw"[j]}` : sum);
        columns === 1 || n % width === 0 ? one() : w.block(`if (${at} < ${n}u)`, one);
      }
  };
  const storeRows = (): void =>
    sums.forEach((sum, i) => {
      const row = w.bind(plus(m0, `${i}u`), "m");
      if (m % rows === 0) storeRow(row, sum);
      else w.block(`if (${row} < ${m}u)`, () => storeRow(row, sum));
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
