// Codelets: the discrete Fourier transform of r points in registers, X[k] = sum_n x[n] exp(-2 pi i n k / r), as
// straight-line code. Composite sizes split as Cooley and Tukey do; odd primes use the symmetry of their matrix.

import { float } from "../literals.js";
import type { KernelWriter } from "../writer.js";

/** The function `dft<r>(v: ptr<function, array<vec2f, r>>)`, which transforms v in place. */
export function codelet(writer: KernelWriter, radix: number): string {
  const name = `dft${radix}`;
  const lines: string[] = [];
  let next = 0;
  const bind: Bind = (expression) => {
    lines.push(`  let t${next} = ${expression};`);
    return `t${next++}`;
  };
  const inputs = Array.from({ length: radix }, (_, n) => bind(`(*v)[${n}]`));
  const outputs = transform(inputs, bind);
  lines.push(...outputs.map((output, k) => `  (*v)[${k}] = ${output};`));
  return writer.helper(
    name,
    [
      `// v[k] = sum over n of v[n] exp(-2 pi i n k / ${radix}).`,
      `fn ${name}(v: ptr<function, array<vec2f, ${radix}>>) {`,
      ...lines,
      "}",
    ].join("\n"),
  );
}

/** Names a complex number. */
type Bind = (expression: string) => string;

function transform(x: readonly string[], bind: Bind): string[] {
  const n = x.length;
  if (n === 1) return [...x];
  if (n === 2) return [bind(`${x[0]} + ${x[1]}`), bind(`${x[0]} - ${x[1]}`)];
  const outer = n === 4 ? 2 : n % 4 === 0 ? 4 : smallestFactor(n);
  return outer === n ? primeTransform(x, bind) : splitTransform(x, outer, bind);
}

function smallestFactor(n: number): number {
  let factor = 2;
  while (n % factor !== 0) factor++;
  return factor;
}

/**
 * n = n1 b + n2, k = k1 + a k2: X[k1 + a k2] = sum_n2 w_b^(n2 k2) (w_n^(n2 k1) sum_n1 w_a^(n1 k1) x[n1 b + n2]).
 */
function splitTransform(x: readonly string[], a: number, bind: Bind): string[] {
  const b = x.length / a;
  const columns = Array.from({ length: b }, (_, n2) =>
    transform(
      Array.from({ length: a }, (_n, n1) => x[n1 * b + n2]!),
      bind,
    ).map((value, k1) => turned(value, n2 * k1, x.length, bind)),
  );
  const result = new Array<string>(x.length);
  for (let k1 = 0; k1 < a; k1++)
    transform(
      columns.map((column) => column[k1]!),
      bind,
    ).forEach((value, k2) => {
      result[k1 + a * k2] = value;
    });
  return result;
}

/** value exp(-2 pi i j / n), eighths of a turn without the general product. */
function turned(value: string, j: number, n: number, bind: Bind): string {
  const turn = (j % n) / n;
  if (turn === 0) return value;
  if (turn === 0.25) return bind(`vec2f(${value}.y, -${value}.x)`);
  if (turn === 0.5) return bind(`-${value}`);
  if (turn === 0.75) return bind(`vec2f(-${value}.y, ${value}.x)`);
  const half = float(Math.SQRT1_2);
  if (turn === 0.125) return bind(`${half} * vec2f(${value}.x + ${value}.y, ${value}.y - ${value}.x)`);
  if (turn === 0.375) return bind(`-${half} * vec2f(${value}.x - ${value}.y, ${value}.x + ${value}.y)`);
  return bind(rotation(value, 2 * Math.PI * turn));
}

/** A real number times exp(-i angle). */
export function turnedReal(value: string, angle: number): string {
  return angle === 0
    ? `vec2f(${value}, 0.0)`
    : `${value} * vec2f(${float(Math.cos(angle))}, ${float(-Math.sin(angle))})`;
}

/** The expression value exp(-i angle). */
function rotation(value: string, angle: number): string {
  const cos = float(Math.cos(angle));
  const sin = Math.sin(angle);
  const [minus, plus] = sin < 0 ? ["-", "+"] : ["+", "-"];
  const size = float(Math.abs(sin));
  return `vec2f(${cos} * ${value}.x ${minus} ${size} * ${value}.y, ${cos} * ${value}.y ${plus} ${size} * ${value}.x)`;
}

/** X[k], X[p-k] = x0 + sum_j cos(2 pi j k / p) (x_j + x_(p-j)) -/+ i sum_j sin(2 pi j k / p) (x_j - x_(p-j)). */
function primeTransform(x: readonly string[], bind: Bind): string[] {
  const p = x.length;
  const half = (p - 1) / 2;
  const pairs = Array.from({ length: half }, (_, i) => i + 1);
  const sums = pairs.map((j) => bind(`${x[j]} + ${x[p - j]}`));
  const differences = pairs.map((j) => bind(`${x[j]} - ${x[p - j]}`));
  const result = new Array<string>(p);
  result[0] = bind([x[0]!, ...sums].join(" + "));
  for (const k of pairs) {
    const angle = (j: number): number => (2 * Math.PI * ((j * k) % p)) / p;
    const terms = (of: readonly string[], weight: (angle: number) => number): string =>
      pairs.map((j) => `${float(weight(angle(j)))} * ${of[j - 1]}`).join(" + ");
    const even = bind(`${x[0]} + ${terms(sums, Math.cos)}`);
    const odd = bind(terms(differences, Math.sin));
    result[k] = bind(`vec2f(${even}.x + ${odd}.y, ${even}.y - ${odd}.x)`);
    result[p - k] = bind(`vec2f(${even}.x - ${odd}.y, ${even}.y + ${odd}.x)`);
  }
  return result;
}
