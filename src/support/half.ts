// 16-bit floats: IEEE 754 binary16 and bfloat16, as bit patterns in a number 0..65535.
// binary16: 1 sign, 5 exponent (bias 15), 10 fraction bits; bfloat16: the upper half of a binary32.

/** The largest finite binary16. */
export const largestHalf = 65504;
/** The least normal binary16: devices may flush what is below it to zero. */
export const leastNormalHalf = 2 ** -14;

const scratch = new DataView(new ArrayBuffer(8));

/** The value of a binary16 bit pattern; exact. */
export function decodeHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : Number.NaN;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}

/** The value of a bfloat16 bit pattern; exact. */
export function decodeBfloat16(bits: number): number {
  scratch.setUint32(0, bits * 2 ** 16);
  return scratch.getFloat32(0);
}

/** The binary16 nearest to `x`, ties to even; from 65520 on it is infinity. NaN gives the quiet NaN 0x7e00. */
export function encodeHalf(x: number): number {
  if (Number.isNaN(x)) return 0x7e00;
  const sign = x < 0 || Object.is(x, -0) ? 0x8000 : 0;
  const magnitude = Math.abs(x);
  if (magnitude >= 65520) return sign | 0x7c00;
  scratch.setFloat64(0, magnitude);
  const exponent = Math.max((scratch.getUint16(0) >> 4) - 1023, -14);
  // Steps of 2^(exponent - 10) are exact in float64. Carrying into the next exponent is right by construction.
  const steps = roundTiesToEven(magnitude * 2 ** (10 - exponent));
  return sign | (steps + (exponent + 14) * 1024);
}

function roundTiesToEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}
