// Spectral filters: eigenvectors against the matrix itself, and convolutions with them against the sums of the papers.
import { expect, test } from "vitest";
import { hankelFilters } from "../../src/lower/filters/hankel.js";
import { convolveDirectly, expectEach, linearDirectly, type MixerRun, runMixer } from "./mixer-alone.js";

/** Z[i, j], i and j from 0 here. */
function entry(matrix: "standard" | "alternating", i: number, j: number): number {
  const s = i + j + 2;
  return matrix === "standard" ? 2 / (s ** 3 - s) : ((1 + (-1) ** s) * 8) / ((s + 3) * (s - 1) * (s + 1));
}

const dot = (x: ArrayLike<number>, y: ArrayLike<number>): number =>
  Array.from(x).reduce((sum, v, i) => sum + v * y[i]!, 0);

test.each([
  ["standard", 60, 20],
  ["alternating", 60, 24],
  ["standard", 7, 9],
  ["alternating", 5, 2],
  ["standard", 1, 1],
] as const)("of the %s matrix of %i rows the %i largest", (matrix, length, count) => {
  const filters = hankelFilters(length, count, matrix);
  expect(filters.length).toBe(Math.min(length, count));
  const found = filters.map((filter) => {
    const size = Math.sqrt(dot(filter, filter));
    return { value: size ** 4, phi: filter.map((v) => v / size) };
  });
  // A power a^t rounds like t products, and so does a sum over t; points and weights of the rule add as much again.
  const bound = 3 * Math.max(length, 24) * 2 ** -52 * found[0]!.value;
  found.forEach(({ value, phi }, n) => {
    for (let i = 0; i < length; i++) {
      let sum = 0;
      for (let j = 0; j < length; j++) sum += entry(matrix, i, j) * phi[j]!;
      expect(Math.abs(sum - value * phi[i]!)).toBeLessThan(bound);
    }
    for (let m = 0; m < n; m++) expect(Math.abs(dot(phi, found[m]!.phi))).toBeLessThan(1e-12);
    if (n > 0) expect(value).toBeLessThan(found[n - 1]!.value);
    const [first, second] = [phi[0]!, phi[1] ?? 0];
    expect(Math.abs(first) >= Math.abs(second) ? first : second).toBeGreaterThan(0);
  });
  // None is left out: what is left of the trace is smaller than the last that was found.
  const trace = Array.from({ length }, (_, i) => entry(matrix, i, i)).reduce((sum, v) => sum + v, 0);
  const rest = trace - found.reduce((sum, { value }) => sum + value, 0);
  expect(rest).toBeLessThanOrEqual(found.at(-1)!.value + 1e-14 * trace);
});

const plain = { kind: "long_conv", in_proj: { kind: "none" }, out_proj: { kind: "none" }, skip: "none" };

test("mixtures of fixed filters; both signs with one mixture leave the even lags, twice", async () => {
  const [length, width] = [11, 3];
  for (const negative of ["none", "add"]) {
    const filter = { kind: "hankel", span: "causal", filters: 4, negative };
    const run = await runMixer({ ...plain, filter }, { batch: 1, length, width });
    const mix = run.parameter("filters.0.mix");
    const basis = hankelFilters(length, 4, "standard");
    const k = (channel: number, lag: number): number => {
      if (lag < 0 || (negative === "add" && lag % 2 === 1)) return 0;
      return (
        basis.reduce((sum, b, n) => sum + b[lag]! * mix[n * width + channel]!, 0) *
        (negative === "add" ? 2 : 1)
      );
    };
    expectEach(run, convolveDirectly(run.x, length, width, k));
  }
});

/** U[t, k, d] = sum_s b_k[t - s] u[s, d], and the same of inputs and outputs with alternating signs. */
function features(run: MixerRun, basis: readonly ArrayLike<number>[], alternating: boolean): number[][] {
  const { length, width, x } = run;
  const sign = (t: number): number => (alternating && t % 2 === 1 ? -1 : 1);
  return basis.map((b) =>
    Array.from(
      convolveDirectly(
        x.map((v, i) => v * sign(Math.floor(i / width))),
        length,
        width,
        (_, lag) => (lag < 0 ? 0 : b[lag]!),
      ),
      (v, i) => v * sign(Math.floor(i / width)),
    ),
  );
}

test("every filter for every channel, then one matrix: a spectral transform unit, its basis computed or stored", async () => {
  const [length, width, count] = [9, 2, 3];
  for (const basis of ["computed", "stored"]) {
    const filter = { kind: "hankel", span: "causal", filters: count, negative: "append", mix: "none", basis };
    const mixer = { ...plain, channels: 2 * count, filter };
    const run = await runMixer(
      { ...mixer, out_proj: { kind: "linear", bias: false } },
      { batch: 1, length, width },
    );
    const stored = basis === "stored" ? run.parameter("filters.0.basis") : [];
    const columns =
      basis === "computed"
        ? hankelFilters(length, count, "standard")
        : Array.from({ length: count }, (_, n) => Array.from(stored).filter((_, i) => i % count === n));
    const all = [...features(run, columns, false), ...features(run, columns, true)];
    const joined = Array.from({ length }, (_, t) =>
      all.flatMap((u) => u.slice(t * width, (t + 1) * width)),
    ).flat();
    expectEach(run, linearDirectly(joined, run.parameter("out_proj.weight"), undefined, 2 * count * width));
  }
});

test("a sequence that is longer than the matrix has no further taps; a reverse filter has a mixture of its own", async () => {
  const [length, built, width] = [8, 5, 2];
  const filter = { kind: "hankel", filters: 3, length: built, matrix: "alternating" };
  const run = await runMixer({ ...plain, filter }, { batch: 1, length, width });
  const basis = hankelFilters(built, 3, "alternating");
  const tap = (at: string, row: number, channel: number): number =>
    basis.reduce((sum, b, n) => sum + (b[row] ?? 0) * run.parameter(at)[n * width + channel]!, 0);
  expectEach(
    run,
    convolveDirectly(run.x, length, width, (channel, lag) =>
      lag >= 0 ? tap("filters.0.mix", lag, channel) : tap("filters.0.reverse.mix", -lag - 1, channel),
    ),
  );
});
