// Matrix products, tiled. A workgroup makes a tile of y, an invocation 4 x 4 of it; slabs of K go through
// workgroup memory as vec4f along k, so an inner step is 16 dot products for 8 vector reads.
//
// In workgroup memory column n lies at (n % 4) (T/4) + n / 4: neighbours in a subgroup, which own columns 4t ..
// 4t+3, then read neighbouring vectors (no bank conflicts) and still store four neighbours of y at once.

import { count } from "../../ir/tensor.js";
import type { Implementation, Opened, Shaped, Sink, Source, WgslKernels } from "../kernel.js";
import type { Features, Limits } from "../limits.js";
import { axesPlace, flatPlace, type Place, plus, rowPlace, times } from "../place.js";
import { type KernelWriter, single } from "../writer.js";
import { thinLinear } from "./thin-linear.js";

/** k values of one slab. Deeper slabs unroll to code that a CPU driver takes seconds to compile, for no speed. */
const slab = 8;

/** A product y[z, m, n] = sum_k a[z, m, k] b[z, k, n] as the tiled kernel sees it. */
interface Product {
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
interface Ends {
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
        ...request.around.map((line) => `  around it: ${line}`),
      ],
      m,
      k,
      n,
    };
    if (m <= 4) return thinLinear(request, facts);
    return tiled({
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
    return tiled({
      name: `matmul_${batch === 1 ? "" : `${batch}x`}${m}x${k}${transpose_b ? "_transposed" : ""}_to_${n}${request.suffix}`,
      comment: [
        `y[z, m, n] = sum_k a[z, m, k] b[z, ${transpose_b ? "n, k" : "k, n"}]: ${batch} x [${m}, ${k}] by [${transpose_b ? `${n}, ${k}` : `${k}, ${n}`}].`,
        ...request.around.map((line) => `  around it: ${line}`),
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

/**
 * The tile with the least work: rows and columns beyond the matrix count, so do slab loads, and so do
 * processors left idle when there are fewer than 64 workgroups.
 */
function chooseTile(batch: number, m: number, n: number, limits: Limits): readonly [number, number] {
  const sizes = [16, 32, 64] as const;
  const cost = ([tm, tn]: readonly [number, number]): number => {
    const groups = batch * Math.ceil(m / tm) * Math.ceil(n / tn);
    return (
      ((groups * tm * tn * (1 + 8 / tm + 8 / tn)) / Math.min(1, groups / 64)) * (tm * tn < 512 ? 1.5 : 1)
    );
  };
  return sizes
    .flatMap((tm) => sizes.map((tn) => [tm, tn] as const))
    .filter(([tm, tn]) => (tm * tn) / 16 <= limits.maxComputeInvocationsPerWorkgroup)
    .reduce((best, tile) => (cost(tile) < cost(best) ? tile : best));
}

function tiled(product: Product): Implementation {
  const { batch, m, k, n, transposed, limits } = product;
  const [tm, tn] = chooseTile(batch, m, n, limits);
  const threads = (tm / 4) * (tn / 4);
  const wideA = k % 4 === 0 ? 4 : 1;
  const wideB = (transposed ? k : n) % 4 === 0 ? 4 : 1;
  const stores = n % 4 === 0 ? 4 : 1;
  const ends = product.open(wideA === 4 || wideB === 4 ? 4 : 1, stores);
  const { writer: w } = ends;
  const columns = Math.ceil(n / tn);
  const rowsOfTiles = Math.ceil(m / tm);
  const z = batch === 1 ? "0u" : "group.z";
  w.line(`// This workgroup's tile of y, ${tm} x ${tn}, and this invocation's 4 x 4 of it.`);
  const m0 = w.bind(times("group.y", tm), "row_tile");
  const n0 = w.bind(times("group.x", tn), "column_tile");
  const tx = w.bind(`lane % ${tn / 4}u`, "tx");
  const ty = w.bind(`lane / ${tn / 4}u`, "ty");
  const aTile = w.workgroupArray("a_slab", "vec4f", (slab / 4) * tm);
  const bTile = w.workgroupArray("b_slab", "vec4f", (slab / 4) * tn);
  const sums = Array.from({ length: 4 }, (_, i) => w.variable(`sum_${i}`, "vec4f()"));
  /** Where row or column i of a tile of `size` lies. */
  const spot = (q: string, i: string, size: number): string =>
    plus(times(q, size), times(`${i} % 4u`, size / 4), `${i} / 4u`);
  const clamped = (text: string, most: number): string => `min(${text}, ${most}u)`;

  w.loop("k0", "0u", `${k}u`, slab, (k0) => {
    const inner = (from: string, zero: string, value: (at: string) => string, step: 1 | 4): string =>
      k % slab === 0
        ? value(from)
        : `select(${zero}, ${value(w.bind(clamped(from, k - step)))}, ${from} < ${k}u)`;
    const alongK = (load: (at: string, lanes: 1 | 4) => string, from: string, wide: 1 | 4): string => {
      if (wide === 4) return inner(from, "vec4f()", (at) => load(at, 4), 4);
      const parts = [0, 1, 2, 3].map((j) =>
        inner(w.bind(plus(from, `${j}u`)), "0.0", (at) => load(at, 1), 1),
      );
      return `vec4f(${parts.join(", ")})`;
    };
    const fill = (tile: string, size: number, load: (i: string, from: string) => string): void => {
      const vectors = (slab / 4) * size;
      w.loop("s", "lane", `${vectors}u`, threads, (s) => {
        const i = w.bind(`${s} / ${slab / 4}u`, "i");
        const q = w.bind(`${s} % ${slab / 4}u`, "q");
        const from = w.bind(plus(k0, times(q, 4)), "k");
        w.line(`${tile}[${spot(q, i, size)}] = ${load(i, from)};`);
      });
    };
    fill(aTile, tm, (i, from) => {
      const row = w.bind(clamped(plus(m0, i), m - 1), "row");
      return alongK((at, lanes) => ends.a(z, row, at, lanes), from, wideA);
    });
    if (transposed || wideB === 1)
      fill(bTile, tn, (i, from) => {
        const column = w.bind(clamped(plus(n0, i), n - 1), "column");
        return alongK((at, lanes) => ends.b(z, at, column, lanes), from, transposed ? wideB : 1);
      });
    // b is [k, n]: four vectors along n, turned into four along k.
    else
      w.loop("s", "lane", `${(slab / 4) * (tn / 4)}u`, threads, (s) => {
        const i = w.bind(times(`${s} % ${tn / 4}u`, 4), "i");
        const q = w.bind(`${s} / ${tn / 4}u`, "q");
        const from = w.bind(plus(k0, times(q, 4)), "k");
        const column = w.bind(clamped(plus(n0, i), n - 4), "column");
        const rows = [0, 1, 2, 3].map((j) =>
          w.bind(
            inner(w.bind(plus(from, `${j}u`)), "vec4f()", (at) => ends.b(z, at, column, 4), 1),
            "b_row",
          ),
        );
        for (let j = 0; j < 4; j++)
          w.line(
            `${bTile}[${spot(q, w.bind(plus(i, `${j}u`)), tn)}] = vec4f(${rows.map((r) => `${r}.${"xyzw"[j]}`).join(", ")});`,
          );
      });
    w.barrier();
    w.loop("q", "0u", `${slab / 4}u`, 1, (q) => {
      const b = [0, 1, 2, 3].map((j) =>
        w.bind(`${bTile}[${plus(times(q, tn), `${(j * tn) / 4}u`)} + ${tx}]`, `b_${j}`),
      );
      for (let i = 0; i < 4; i++) {
        const a = w.bind(`${aTile}[${plus(times(q, tm), `${(i * tm) / 4}u`)} + ${ty}]`, `a_${i}`);
        w.line(`${sums[i]} += vec4f(${b.map((v) => `dot(${a}, ${v})`).join(", ")});`);
      }
    });
    w.barrier();
  });

  const column = w.bind(plus(n0, times(tx, 4)), "n");
  const storeRow = (row: string, sum: string): void => {
    if (stores === 4) ends.store(z, row, column, 4, sum);
    else
      for (let j = 0; j < 4; j++) {
        const at = w.bind(plus(column, `${j}u`), "n");
        const one = (): void => ends.store(z, row, at, 1, `${sum}.${"xyzw"[j]}`);
        n % tn === 0 ? one() : w.block(`if (${at} < ${n}u)`, one);
      }
  };
  for (let i = 0; i < 4; i++) {
    const row = w.bind(plus(m0, times(ty, 4), `${i}u`), "m");
    const bounds = [
      ...(m % tm === 0 ? [] : [`${row} < ${m}u`]),
      ...(n % tn === 0 || stores === 1 ? [] : [`${column} < ${n}u`]),
    ];
    if (bounds.length === 0) storeRow(row, sums[i]!);
    else w.block(`if (${bounds.join(" && ")})`, () => storeRow(row, sums[i]!));
  }
  const kernel = w.finish({
    name: product.name,
    comment: product.comment,
    grid: [columns, rowsOfTiles, batch],
    workgroupSize: [threads, 1, 1],
  });
  return single(w, kernel);
}
