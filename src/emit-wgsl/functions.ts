// Functions WGSL has not, or promises too little of (its tanh may overflow, its sin and cos are good to 2^-11
// only): each as a helper over one or four lanes. Coefficients are least-squares fits at Chebyshev nodes.

import { float } from "./literals.js";
import type { KernelWriter } from "./writer.js";

/** Horner's rule in `x`, lowest coefficient first. */
function polynomial(x: string, coefficients: readonly number[], literal: (v: number) => string): string {
  return coefficients
    .slice(0, -1)
    .reduceRight(
      (inner, c) => `${literal(c)} + ${x} * (${inner})`,
      literal(coefficients[coefficients.length - 1]!),
    );
}

interface Form {
  /** f32 or vec4f. */
  readonly type: string;
  number(value: number): string;
  /** The helper `name` for as many lanes. */
  call(name: string): string;
}

const definitions = {
  /** e = exp(-|x|) never overflows: 1/(1+e) for x >= 0, e/(1+e) below. */
  sigmoid: ({ type, number }) => `(x: ${type}) -> ${type} {
  let e = exp(-abs(x));
  return select(e, ${number(1)}, x >= ${number(0)}) / (${number(1)} + e);
}`,
  /** max(x, 0) + ln(1 + e), e = exp(-|x|); ln(1 + e) = 2 artanh(e / (2 + e)) by its series, argument at most 1/3. */
  softplus: ({ type, number }) => `(x: ${type}) -> ${type} {
  let e = exp(-abs(x));
  let s = e / (${number(2)} + e);
  let q = s * s;
  return max(x, ${number(0)}) + ${number(2)} * s * (${polynomial(
    "q",
    [1, 3, 5, 7, 9, 11, 13, 15, 17].map((n) => 1 / n),
    number,
  )});
}`,
  /** Odd polynomial below 0.55; (1 - e)/(1 + e), e = exp(-2|x|), above: no overflow, no cancellation. */
  tanh_safe: ({ type, number }) => `(x: ${type}) -> ${type} {
  let q = min(x * x, ${number(0.3025)});
  let small = x + x * q * (${polynomial("q", tanhSmall, number)});
  let e = exp(-2.0 * min(abs(x), ${number(15)}));
  let large = sign(x) * (${number(1)} - e) / (${number(1)} + e);
  return select(large, small, abs(x) < ${number(0.55)});
}`,
  /** x P(x^2) below 1; 1 - exp(-x^2 - ...) as 1 - exp(Q(|x|)) above, where 1 - erf is below 0.16. */
  erf: ({ type, number }) => `(x: ${type}) -> ${type} {
  let t = min(abs(x), ${number(4)});
  let q = min(x * x, ${number(1)});
  let small = x * (${polynomial("q", erfSmall, number)});
  let large = sign(x) * (${number(1)} - exp(${polynomial("t", erfLarge, number)}));
  return select(large, small, abs(x) < ${number(1)});
}`,
  gelu: ({ type, number, call }) => `(x: ${type}) -> ${type} {
  return ${number(0.5)} * x * (${number(1)} + ${call("erf")}(x * ${number(Math.SQRT1_2)}));
}`,
  /** The cube of a large x would overflow; tanh is 1 long before 30. */
  gelu_tanh: ({ type, number, call }) => `(x: ${type}) -> ${type} {
  let c = clamp(x, ${number(-30)}, ${number(30)});
  return ${number(0.5)} * x * (${number(1)} + ${call("tanh_safe")}(${number(Math.sqrt(2 / Math.PI))} * (c + ${number(0.044715)} * c * c * c)));
}`,
  /** Quarter turns off in three steps (Cody and Waite 1980), then the polynomial of the quadrant. */
  sine: ({ type, number, call }) => `(x: ${type}) -> ${type} {
  return ${call("quadrant")}(x, ${number(0)});
}`,
  cosine: ({ type, number, call }) => `(x: ${type}) -> ${type} {
  return ${call("quadrant")}(x, ${number(1)});
}`,
  quadrant: ({ type, number }) => `(x: ${type}, quarter: ${type}) -> ${type} {
  let k = round(x * ${number(2 / Math.PI)});
  let r = ((x - k * ${number(halfPi[0]!)}) - k * ${number(halfPi[1]!)}) - k * ${number(halfPi[2]!)};
  let q = r * r;
  let s = r + r * q * (${polynomial("q", sineSmall, number)});
  let c = ${number(1)} + q * (${polynomial("q", cosineSmall, number)});
  let turn = (k + quarter) - ${number(4)} * floor((k + quarter) * ${number(0.25)});
  let value = select(s, c, (turn == ${number(1)}) | (turn == ${number(3)}));
  return select(value, -value, turn >= ${number(2)});
}`,
  complex_product: () => `(a: vec2f, b: vec2f) -> vec2f {
  return vec2f(a.x * b.x - a.y * b.y, a.x * b.y + a.y * b.x);
}`,
} satisfies Record<string, (form: Form) => string>;

type FunctionName = keyof typeof definitions;

/** Functions a helper calls. */
const needs: Partial<Record<FunctionName, FunctionName>> = {
  gelu: "erf",
  gelu_tanh: "tanh_safe",
  sine: "quadrant",
  cosine: "quadrant",
};

/** Makes sure the kernel has the function for one or four lanes and returns its name there. */
export function useFunction(writer: KernelWriter, name: FunctionName, lanes: 1 | 4): string {
  const needed = needs[name];
  if (needed !== undefined) useFunction(writer, needed, lanes);
  const form: Form = {
    type: lanes === 4 ? "vec4f" : "f32",
    number: (v) => (lanes === 4 ? `vec4f(${float(v)})` : float(v)),
    call: (other) => (lanes === 4 ? `${other}4` : other),
  };
  const full = form.call(name);
  return writer.helper(full, `fn ${full}${definitions[name](form)}`);
}

// Fits.
const tanhSmall: readonly number[] = [
  -0.333333333, 0.133333242, -0.05396470044, 0.02181844913, -0.008526333079, 0.002526390751,
];
const erfSmall: readonly number[] = [
  1.128379167, -0.3761263847, 0.112837825, -0.02686543073, 0.005221031807, -0.0008484080391, 0.0001126595892,
  -9.667044295e-6,
];
const erfLarge: readonly number[] = [
  0.0002610753079, -1.129910346, -0.6326012659, -0.1090075618, 0.02547478679, -0.004203483893,
  0.0003763961387, 1.21506171e-5, -8.175013526e-6, 9.544950377e-7, -4.074426845e-8,
];
const sineSmall: readonly number[] = [-0.1666666666, 0.008333331691, -0.0001983998958, 2.723757751e-6];
const cosineSmall: readonly number[] = [
  -0.5, 0.04166666663, -0.001388888461, 2.479972027e-5, -2.722426312e-7,
];
/** pi/2 in three parts; the first two have 12 significant bits, so k times them is exact for |k| < 4096. */
const halfPi: readonly number[] = [1.5703125, 0.0004837512969970703, 7.549789948768648e-8];
