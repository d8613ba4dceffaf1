// Weights and runs that the tests of long convolutions share.

import { exact, normals, type Rounding, type Rows, rowsOf, single, type Weights } from "./arithmetic.js";
import { verdict, writeCase } from "./write-case.js";

interface FilterSizes {
  readonly built: number;
  readonly emb: number;
  readonly width: number;
  readonly inner: number;
  readonly out: number;
}

/** Shapes of one filter as upstream stores it; positions are perturbed as a trained buffer's would be. */
export function filterShapes(
  prefix: string,
  networks: readonly string[],
  sizes: FilterSizes,
): Record<string, number[]> {
  const { built, emb, width, inner, out } = sizes;
  const shapes: Record<string, number[]> = {
    [`${prefix}.bias`]: [out],
    [`${prefix}.pos_emb.z`]: [1, built, emb],
    [`${prefix}.pos_emb.t`]: [1, built, 1],
    [`${prefix}.modulation.deltas`]: [1, 1, out],
  };
  for (const network of networks) {
    for (let k = 0; k <= inner; k++) {
      shapes[`${prefix}.${network}.${2 * k}.weight`] = [width, k === 0 ? emb : width];
      shapes[`${prefix}.${network}.${2 * k}.bias`] = [width];
      shapes[`${prefix}.${network}.${2 * k + 1}.freq`] = [1, width];
    }
    shapes[`${prefix}.${network}.${2 * inner + 2}.weight`] = [out, width];
  }
  return shapes;
}

/** One frequency per filter, listed under every sine; times from 0 to 1; decay rates of a few units. */
export function shareFilter(weights: Weights, frequency: number): Weights {
  const shared = { ...weights };
  for (const [name, { shape, data }] of Object.entries(weights)) {
    const freq = /^(.*filter_fn2?)\.implicit_filter(_rev)?\.\d+\.freq$/.exec(name);
    if (freq) {
      const first = weights[`${freq[1]}.implicit_filter.1.freq`]!.data;
      shared[name] = { shape, data: first.map((x) => Math.fround(frequency + 0.1 * x)) };
    }
    const rows = shape[1]!;
    if (name.endsWith("pos_emb.t"))
      shared[name] = { shape, data: data.map((_, t) => Math.fround(t / Math.max(1, rows - 1))) };
    if (name.endsWith("deltas")) shared[name] = { shape, data: data.map((x) => Math.fround(-3 - x)) };
  }
  return shared;
}

/** One run of the direct computation: the output rows of a text, and what is recorded on the way. */
export interface Computation {
  readonly out: Rows;
  /** Tensors of every text, [batch, ..], and tensors without a batch such as filters. */
  readonly perText?: Readonly<Record<string, Rows>>;
  readonly once?: Readonly<Record<string, Rows>>;
}

/** Writes the case and runs it: "pass", or the report. */
export async function outcome(
  place: string,
  facts: { readonly id: string; readonly system: string; readonly args: object; readonly weights: Weights },
  input: string,
  shape: readonly [number, number, number],
  compute: (round: Rounding, x: Rows) => Computation,
): Promise<string> {
  const [batch, length, width] = shape;
  const data = normals(17)(batch * length * width);
  const texts = (round: Rounding): Computation[] =>
    Array.from({ length: batch }, (_, row) => compute(round, rowsOf(data, length, width, row)));
  const [wide, narrow] = [texts(exact), texts(single)];
  const tensor = (of: (one: Computation) => Rows, batched: boolean) => {
    const list = (all: readonly Computation[]) => (batched ? all : all.slice(0, 1)).flatMap(of).flat();
    const rows = of(wide[0]!);
    const inner = [rows.length, rows[0]!.length];
    return { shape: batched ? [batch, ...inner] : inner, f64: list(wide), f32: list(narrow) };
  };
  const named = (names: readonly string[], of: (one: Computation, name: string) => Rows, batched: boolean) =>
    names.map((name) => [name, tensor((one) => of(one, name), batched)] as const);
  const directory = writeCase(place, {
    ...facts,
    given: { [input]: { shape, data } },
    results: Object.fromEntries([
      ...named(["out"], ({ out }) => out, true),
      ...named(Object.keys(wide[0]!.perText ?? {}), (one, name) => one.perText![name]!, true),
      ...named(Object.keys(wide[0]!.once ?? {}), (one, name) => one.once![name]!, false),
    ]),
  });
  return verdict(directory);
}

/** [a][b] -> [b][a]. */
export function transposed(rows: Rows): Rows {
  return rows[0]!.map((_, c) => rows.map((row) => row[c]!));
}
