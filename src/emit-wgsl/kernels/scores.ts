// Scores of every row against every entry of a vocabulary, reduced while they are made and never stored:
//   best[m]   = least v with score[m, v] largest
//   mean[m, c] = sum_v softmax(score[m, :])[v] table[v, c]        (online softmax, Milakov & Gimelshein 2018)
// Two dispatches. The first walks a slice of the vocabulary for 16 rows, 64 entries at a time, and keeps a running
// maximum M, sum S = sum exp(score - M) and A[c] = sum exp(score - M) table[v, c]; when M grows, S and A shrink by
// exp(M_old - M). The second joins the slices.

import { fail } from "../../support/diagnostic.js";
import type { Implementation, Kernel, Scratch, Table } from "../kernel.js";
import { divided, modulo, plus, times } from "../place.js";
import type { KernelWriter } from "../writer.js";
import { joinSlices } from "./join-slices.js";
import { lowest, partials, type ScoreEnds, type Scores, type Term } from "./score-parts.js";

/** Rows and vocabulary entries of a tile; 16 invocations a row, 4 entries each. */
const rows = 16;
const entries = 64;
const threads = 256;
/** k values of one slab. */
const slab = 16;
/** How the vocabulary is cut: enough workgroups to fill a device, few enough that joining them is nothing. */
function slicesOf(m: number, vocabulary: number): { slices: number; tiles: number } {
  const rowTiles = Math.ceil(m / rows);
  const tiles = Math.ceil(vocabulary / entries);
  const wanted = Math.max(1, Math.min(tiles, Math.ceil(128 / rowTiles)));
  const each = Math.ceil(tiles / wanted);
  return { slices: Math.ceil(tiles / each), tiles: each };
}

export function scoreKernels(scores: Scores): Implementation {
  const { m, vocabulary, width } = scores;
  const { slices, tiles } = slicesOf(m, vocabulary);
  // One record a (slice, row): M, S, best score, best entry, then A.
  const record = 4 + width;
  const scratch: Scratch = { element: "f32", length: slices * m * record };
  const first = reduceSlices(scores, slices, tiles, record, scratch);
  const second = joinSlices(scores, slices, record, scratch);
  return {
    kernels: [first.kernel, second.kernel],
    scratch: [scratch],
    tables: [...first.tables, ...second.tables],
  };
}

function reduceSlices(
  scores: Scores,
  slices: number,
  tiles: number,
  record: number,
  scratch: Scratch,
): { kernel: Kernel; tables: readonly Table[] } {
  const { m, vocabulary, width, limits } = scores;
  const rowTiles = Math.ceil(m / rows);
  if (rowTiles > limits.maxComputeWorkgroupsPerDimension)
    fail(
      "wgsl/too-many-rows",
      `${m} rows are ${rowTiles} tiles of ${rows}; a dispatch has at most ${limits.maxComputeWorkgroupsPerDimension}`,
      {
        help: "build for a smaller batch or a shorter sequence",
      },
    );
  const columnLanes = width % 4 === 0 ? 4 : 1;
  const ends = scores.open(4);
  const { writer: w } = ends;
  const wantsMean = width > 0 && ends.table !== undefined;
  const a = w.workgroupArray("a_slab", "vec4f", (rows * slab) / 4);
  const b = w.workgroupArray("b_slab", "vec4f", (entries * slab) / 4);
  const tops = w.workgroupArray("tops", "f32", threads);
  const topAt = w.workgroupArray("top_at", "u32", threads);
  const weights = wantsMean ? w.workgroupArray("weights", "f32", rows * entries) : "";
  const shrink = wantsMean ? w.workgroupArray("shrink", "f32", rows) : "";
  w.buffer(partials, "partials", "f32", scratch.length, "read_write", 1);

  w.line("// Sixteen invocations a row, entries own, own + 16, own + 32 and own + 48 of a tile each.");
  const own = w.bind("lane % 16u", "own");
  const mine = w.bind("lane / 16u", "mine");
  const row0 = w.bind(times("group.y", rows), "row_tile");
  const row = w.bind(`min(${plus(row0, mine)}, ${m - 1}u)`, "row");
  const most = w.variable("most", lowest);
  const sum = w.variable("sum", "0.0");
  const bestAt = w.variable("best_at", "0u");
  // A: this invocation's columns (vectors of four where they are), some rows of each.
  const groups = width / columnLanes;
  const spread = groups === 0 ? 1 : Math.min(threads, 2 ** Math.ceil(Math.log2(groups)));
  const parts = Math.min(rows, threads / spread);
  const held = wantsMean
    ? { rounds: Math.ceil(groups / spread), rows: rows / parts }
    : { rounds: 0, rows: 0 };
  const column = wantsMean ? w.bind(modulo("lane", spread), "column_group") : "";
  const part = wantsMean ? w.bind(divided("lane", spread), "row_part") : "";
  const means = Array.from({ length: held.rounds }, (_, c) =>
    Array.from({ length: held.rows }, (_r, r) =>
      w.variable(`mean_${c}_${r}`, columnLanes === 4 ? "vec4f()" : "0.0"),
    ),
  );

  w.loop(
    "tile",
    times("group.x", tiles),
    `min(group.x * ${tiles}u + ${tiles}u, ${Math.ceil(vocabulary / entries)}u)`,
    1,
    (tile) => {
      const v0 = w.bind(times(tile, entries), "first");
      const values = ends.terms.map((term) =>
        termTile(w, term, { a, b, row0, v0, own, mine, m, vocabulary }),
      );
      const entry = [0, 1, 2, 3].map((j) => w.bind(plus(v0, own, `${16 * j}u`), "entry"));
      const score = entry.map((v, j) => {
        const value = ends.score(
          row,
          w.bind(`min(${v}, ${vocabulary - 1}u)`, "entry_read"),
          values.map((t) => `${t}.${"xyzw"[j]}`),
        );
        return vocabulary % entries === 0
          ? w.bind(value, "score")
          : w.bind(`select(${lowest}, ${value}, ${v} < ${vocabulary}u)`, "score");
      });
      w.line("// The largest of the tile's scores; on a tie the least entry.");
      const top = w.variable("top", score[0]!);
      const at = w.variable("at", entry[0]!);
      for (let j = 1; j < 4; j++)
        w.block(`if (${score[j]} > ${top})`, () => w.line(`${top} = ${score[j]}; ${at} = ${entry[j]};`));
      w.line(`${tops}[lane] = ${top};`);
      w.line(`${topAt}[lane] = ${at};`);
      w.barrier();
      const base = w.bind("lane - lane % 16u", "base");
      w.loop("i", base, `${base} + 16u`, 1, (i) => {
        const other = w.bind(`${tops}[${i}]`, "other");
        const otherAt = w.bind(`${topAt}[${i}]`, "other_at");
        w.block(`if (${other} > ${top} || (${other} == ${top} && ${otherAt} < ${at}))`, () =>
          w.line(`${top} = ${other}; ${at} = ${otherAt};`),
        );
      });
      const before = w.fresh("before");
      w.line(`let ${before} = ${most};`);
      w.block(`if (${top} > ${most})`, () => w.line(`${most} = ${top}; ${bestAt} = ${at};`));
      if (wantsMean) {
        const factor = w.bind(`exp(${before} - ${most})`, "factor");
        const p = score.map((s) => w.bind(`exp(${s} - ${most})`, "p"));
        w.line(`${sum} = ${sum} * ${factor} + (${p.join(" + ")});`);
        p.forEach((value, j) => {
          w.line(`${weights}[${plus(times(mine, entries), own, `${16 * j}u`)}] = ${value};`);
        });
        w.block(`if (${own} == 0u)`, () => w.line(`${shrink}[${mine}] = ${factor};`));
        w.barrier();
        averageTile(w, ends, {
          means,
          held,
          parts,
          spread,
          groups,
          columnLanes,
          column,
          part,
          v0,
          vocabulary,
          weights,
          shrink,
        });
      }
      w.barrier();
    },
  );

  w.line("// One record a row of this slice.");
  if (wantsMean) {
    w.line(`${tops}[lane] = ${sum};`);
    w.barrier();
  }
  const at = (r: string, field: string): string => plus(times(`(group.x * ${m}u + ${r})`, record), field);
  w.block(`if (${own} == 0u && ${plus(row0, mine)} < ${m}u)`, () => {
    w.put(partials, at(plus(row0, mine), "0u"), most);
    if (wantsMean) {
      const total = w.variable("total", "0.0");
      w.loop("i", "lane", "lane + 16u", 1, (i) => w.line(`${total} += ${tops}[${i}];`));
      w.put(partials, at(plus(row0, mine), "1u"), total);
    }
    w.put(partials, at(plus(row0, mine), "2u"), most);
    w.put(partials, at(plus(row0, mine), "3u"), `bitcast<f32>(${bestAt})`);
  });
  means.forEach((byRow, c) => {
    byRow.forEach((value, r) => {
      const target = w.bind(plus(row0, times(part, held.rows), `${r}u`), "row_out");
      const group = w.bind(plus(column, `${c * spread}u`), "column_out");
      w.block(`if (${target} < ${m}u && ${group} < ${groups}u && ${part} < ${parts}u)`, () => {
        for (let j = 0; j < columnLanes; j++)
          w.put(
            partials,
            at(target, plus("4u", times(group, columnLanes), `${j}u`)),
            columnLanes === 4 ? `${value}.${"xyzw"[j]}` : value,
          );
      });
    });
  });
  const kernel = w.finish({
    name: `${scores.name}_slices`,
    comment: [
      ...scores.comment,
      `Rows in tiles of ${rows}, the vocabulary in ${slices} slices of ${tiles} x ${entries}; scores stay in workgroup memory.`,
    ],
    grid: [slices, rowTiles, 1],
    workgroupSize: [threads, 1, 1],
  });
  return { kernel, tables: w.tables };
}

interface TermTile {
  readonly a: string;
  readonly b: string;
  readonly row0: string;
  readonly v0: string;
  readonly own: string;
  readonly mine: string;
  readonly m: number;
  readonly vocabulary: number;
}

/** The values of one term for this invocation's four entries: a vec4f. */
function termTile(
  w: KernelWriter,
  term: Term,
  { a, b, row0, v0, own, mine, m, vocabulary }: TermTile,
): string {
  const { k } = term;
  const total = w.variable(term.kind, "vec4f()");
  const vectors = slab / 4;
  const wide = k % 4 === 0;
  const read = (load: (at: string, lanes: 1 | 4) => string, from: string): string => {
    const guarded = (at: string, zero: string, step: number, lanes: 1 | 4): string =>
      k % slab === 0
        ? load(at, lanes)
        : `select(${zero}, ${load(w.bind(`min(${at}, ${k - step}u)`), lanes)}, ${at} < ${k}u)`;
    if (wide) return guarded(from, "vec4f()", 4, 4);
    return `vec4f(${[0, 1, 2, 3].map((j) => guarded(w.bind(plus(from, `${j}u`)), "0.0", 1, 1)).join(", ")})`;
  };
  w.loop("k0", "0u", `${k}u`, slab, (k0) => {
    const from = w.bind(plus(k0, times(modulo("lane", vectors), 4)), "k");
    w.block(`if (lane < ${rows * vectors}u)`, () => {
      const r = w.bind(`min(${plus(row0, divided("lane", vectors))}, ${m - 1}u)`, "row_read");
      w.line(`${a}[lane] = ${read((at, lanes) => term.a(r, at, lanes), from)};`);
    });
    const v = w.bind(`min(${plus(v0, divided("lane", vectors))}, ${vocabulary - 1}u)`, "entry_read");
    w.line(
      `${b}[${plus(times(modulo("lane", vectors), entries), divided("lane", vectors))}] = ${read((at, lanes) => term.b(v, at, lanes), from)};`,
    );
    w.barrier();
    w.loop("q", "0u", `${vectors}u`, 1, (q) => {
      const x = w.bind(`${a}[${plus(times(mine, vectors), q)}]`, "x");
      const products = [0, 1, 2, 3].map((j) => {
        const y = w.bind(`${b}[${plus(times(q, entries), own, `${16 * j}u`)}]`, "y");
        if (term.kind === "dot") return `dot(${x}, ${y})`;
        const d = w.bind(`${x} - ${y}`, "d");
        return `dot(${d}, ${d})`;
      });
      w.line(`${total} += vec4f(${products.join(", ")});`);
    });
    w.barrier();
  });
  return total;
}

interface Average {
  readonly means: readonly (readonly string[])[];
  readonly held: { readonly rounds: number; readonly rows: number };
  readonly parts: number;
  readonly spread: number;
  readonly groups: number;
  readonly columnLanes: 1 | 4;
  readonly column: string;
  readonly part: string;
  readonly v0: string;
  readonly vocabulary: number;
  readonly weights: string;
  readonly shrink: string;
}

/** A[r, c] = A[r, c] shrink[r] + sum_t weights[r, t] table[v0 + t, c]. */
function averageTile(w: KernelWriter, ends: ScoreEnds, s: Average): void {
  const rowOf = (r: number): string => plus(times(s.part, s.held.rows), `${r}u`);
  w.block(`if (${s.part} < ${s.parts}u)`, () => {
    s.means.forEach((byRow, c) => {
      const group = w.bind(plus(s.column, `${c * s.spread}u`), "column_of");
      w.block(`if (${group} < ${s.groups}u)`, () => {
        byRow.forEach((value, r) => {
          w.line(`${value} *= ${s.shrink}[${rowOf(r)}];`);
        });
        const end =
          s.vocabulary % entries === 0 ? `${entries}u` : `min(${entries}u, ${s.vocabulary}u - ${s.v0})`;
        w.loop("t", "0u", end, 1, (t) => {
          const e = w.bind(ends.table!(plus(s.v0, t), times(group, s.columnLanes), s.columnLanes), "e");
          byRow.forEach((value, r) => {
            w.line(`${value} += ${s.weights}[${plus(times(`(${rowOf(r)})`, entries), t)}] * ${e};`);
          });
        });
      });
    });
  });
}
