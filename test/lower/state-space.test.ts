// State-space filters in every stored form against their definitions: modal kernels tap by tap, the low-rank one from the
// dense matrix of its system.
import { expect, test } from "vitest";
import { convolveDirectly, expectEach, type MixerRun, runMixer } from "./mixer-alone.js";

type C = readonly [number, number];
const add = (a: C, b: C): C => [a[0] + b[0], a[1] + b[1]];
const sub = (a: C, b: C): C => [a[0] - b[0], a[1] - b[1]];
const mul = (a: C, b: C): C => [a[0] * b[0] - a[1] * b[1], a[0] * b[1] + a[1] * b[0]];
const conj = (a: C): C => [a[0], -a[1]];
const times = (a: C, f: number): C => [a[0] * f, a[1] * f];
const div = (a: C, b: C): C => times(mul(a, conj(b)), 1 / (b[0] * b[0] + b[1] * b[1]));
const exp = (a: C): C => [Math.exp(a[0]) * Math.cos(a[1]), Math.exp(a[0]) * Math.sin(a[1])];

const functions: Readonly<Record<string, (x: number) => number>> = {
  none: (x) => x,
  exp: Math.exp,
  relu: (x) => Math.max(x, 0) + 1e-4,
  sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  softplus: (x) => Math.log1p(Math.exp(x)),
};
const signed = (form: string, x: number): number =>
  form === "positive" || form === "plain"
    ? x
    : -functions[form === "negative" ? "none" : form.replace("negative_", "")]!(x);

const plain = { kind: "long_conv", in_proj: { kind: "none" }, out_proj: { kind: "none" }, skip: "none" };
const sizes = { batch: 1, length: 9, width: 3 };

interface Form {
  readonly real?: string;
  readonly imag?: string;
  readonly discretization?: string;
  readonly step?: { readonly transform?: string; readonly per?: string; readonly sinh?: boolean };
  readonly bandlimit?: number;
  readonly beyond?: string;
  readonly length?: number;
}

/** k[t] of channel c by the formula, from the parameters of the run. */
function modalTap(run: MixerRun, form: Form, states: number, c: number, t: number): number {
  const { real = "negative_exp", imag = "positive", discretization = "zoh", step = {} } = form;
  const { transform = "exp", per = "filter", sinh = false } = step;
  const taps = form.beyond === "zero" ? Math.min(form.length!, run.length) : run.length;
  if (t >= taps) return 0;
  const complex = imag !== "none";
  let sum = 0;
  for (let n = 0; n < states; n++) {
    const at = c * states + n;
    const pair = (name: string): C => {
      const data = run.parameter(`filters.0.${name}`);
      return complex ? [data[2 * at]!, data[2 * at + 1]!] : [data[at]!, 0];
    };
    const a: C = [
      signed(real, run.parameter("filters.0.poles.real")[at]!),
      complex ? signed(imag, run.parameter("filters.0.poles.imag")[at]!) : 0,
    ];
    const stored = run.parameter("filters.0.log_step")[per === "state" ? at : c]!;
    const d = functions[transform]!(sinh ? Math.sinh(stored) : stored);
    if (form.bandlimit !== undefined && (d * Math.abs(a[1])) / (2 * Math.PI) >= form.bandlimit / 2) continue;
    const weight = mul(pair("residues"), pair("input"));
    const moved = mul(weight, sub(exp(times(a, d)), [1, 0]));
    const power = exp(times(a, d * t));
    if (discretization === "zoh") sum += 2 * mul(div(moved, a), power)[0];
    else if (discretization === "dss") {
      const x = mul(a, sub(exp(times(a, d * taps)), [1, 0]));
      sum += mul(times(mul(moved, conj(x)), 1 / (x[0] ** 2 + x[1] ** 2 + 1e-7)), power)[0];
    } else {
      const below = sub([1, 0], times(a, d / 2));
      let value = div(times(weight, d), below);
      for (let k = 0; k < t; k++) value = mul(value, div(add([1, 0], times(a, d / 2)), below));
      sum += 2 * value[0];
    }
  }
  return sum;
}

test.each<Form>([
  { real: "negative_softplus", imag: "negative_softplus", step: { transform: "softplus", per: "state" } },
  { real: "negative_relu", imag: "negative_relu", discretization: "bilinear", step: { transform: "relu" } },
  { real: "negative_sigmoid", imag: "negative_sigmoid", step: { transform: "sigmoid", sinh: true } },
  { real: "negative", imag: "negative_exp", step: { transform: "none", per: "state" } },
  { imag: "none" },
  { imag: "none", discretization: "bilinear" },
  { discretization: "dss" },
  { discretization: "dss", imag: "negative", beyond: "zero", length: 6 },
  { beyond: "zero", length: 5 },
  { bandlimit: 0.01 },
])("modal taps stored as %o", async (form) => {
  const { real, imag, ...fields } = form;
  const poles = { ...(real && { real }), ...(imag && { imag }) };
  const run = await runMixer(
    { ...plain, filter: { kind: "modal", span: "causal", states: 4, input: "stored", poles, ...fields } },
    sizes,
  );
  const tap = (c: number, lag: number): number => (lag < 0 ? 0 : modalTap(run, form, 4, c, lag));
  expectEach(run, convolveDirectly(run.x, 9, 3, tap));
  // The option is not one that changes nothing.
  expect(modalTap(run, form, 4, 0, 1)).not.toBe(0);
  if (form.bandlimit !== undefined)
    expect(modalTap(run, form, 4, 2, 1)).not.toBe(modalTap(run, { ...form, bandlimit: 1e9 }, 4, 2, 1));
});

/** X of A X = B by elimination with pivots; A [n, n], B [n]. */
function solve(a: readonly (readonly C[])[], b: readonly C[]): C[] {
  const rows = a.map((line, i) => [...line, b[i]!]);
  const n = b.length;
  for (let k = 0; k < n; k++) {
    const size = (i: number): number => Math.hypot(...rows[i]![k]!);
    const best = [...rows.keys()].slice(k).reduce((most, i) => (size(i) > size(most) ? i : most), k);
    [rows[k], rows[best]] = [rows[best]!, rows[k]!];
    for (let i = 0; i < n; i++) {
      if (i === k) continue;
      const factor = div(rows[i]![k]!, rows[k]![k]!);
      rows[i] = rows[i]!.map((value, j) => sub(value, mul(factor, rows[k]![j]!)));
    }
  }
  return rows.map((line, i) => div(line[n]!, line[i]!));
}

test.each([1, 2, 3])("a kernel of rank %i is that of the dense system", async (rank) => {
  const [states, length] = [2, 7];
  const run = await runMixer(
    { ...plain, filter: { kind: "dplr", span: "causal", states, rank, poles: { imag: "negative" } } },
    { batch: 1, length, width: 2 },
  );
  const kernel = [0, 1].map((c) => {
    const read = (name: string, row: number): C[] =>
      Array.from({ length: states }, (_, n): C => {
        const data = run.parameter(`filters.0.${name}`);
        return [data[(row * states + n) * 2]!, data[(row * states + n) * 2 + 1]!];
      }).flatMap((value, _, all) => (value === all.at(-1) ? [...all, ...all.map(conj)] : []));
    const stored = (name: string, n: number): number =>
      run.parameter(`filters.0.poles.${name}`)[c * states + n]!;
    const half = Array.from(
      { length: states },
      (_, n): C => [-Math.exp(stored("real", n)), -stored("imag", n)],
    );
    const diagonal = [...half, ...half.map(conj)];
    const low = Array.from({ length: rank }, (_, r) => read("low_rank", r * 2 + c));
    // A = diag - sum_r p_r p_r^*; bilinear with step d: (1 - d A/2) s' = (1 + d A/2) s + d B x.
    const d = Math.exp(run.parameter("filters.0.log_step")[c]!);
    const size = 2 * states;
    const matrix = (sign: number): C[][] =>
      Array.from({ length: size }, (_, i) =>
        Array.from({ length: size }, (_, j) => {
          const correction = low.reduce<C>((sum, p) => add(sum, mul(p[i]!, conj(p[j]!))), [0, 0]);
          const entry = sub(i === j ? diagonal[i]! : [0, 0], correction);
          return add([i === j ? 1 : 0, 0], times(entry, (sign * d) / 2));
        }),
      );
    const [up, down] = [matrix(1), matrix(-1)];
    const apply = (m: readonly (readonly C[])[], s: readonly C[]): C[] =>
      m.map((line) => line.reduce<C>((sum, value, j) => add(sum, mul(value, s[j]!)), [0, 0]));
    const step = (s: readonly C[]): C[] => solve(down, apply(up, s));
    const unit = (j: number): C[] => Array.from({ length: size }, (_, i): C => [i === j ? 1 : 0, 0]);
    // The stored C is C (1 - A'^L): s -> (1 - A'^L)^-1 s first.
    const periods = Array.from({ length: size }, (_, j) => {
      let s = unit(j);
      for (let t = 0; t < length; t++) s = step(s);
      return unit(j).map((value, i) => sub(value, s[i]!));
    });
    const whole = periods.map((_, i) => periods.map((column) => column[i]!));
    const start = solve(
      down,
      read("input", c).map((value) => times(value, d)),
    );
    let s = solve(whole, start);
    const output = read("residues", c);
    return Array.from({ length }, () => {
      const value = output.reduce<C>((sum, weight, i) => add(sum, mul(weight, s[i]!)), [0, 0]);
      s = step(s);
      return value[0];
    });
  });
  expectEach(
    run,
    convolveDirectly(run.x, length, 2, (c, lag) => (lag < 0 ? 0 : kernel[c]![lag]!)),
  );
});
