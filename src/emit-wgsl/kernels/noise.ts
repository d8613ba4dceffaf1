// The random bits of src/diffusion/rng.ts in WGSL, bit for bit: Squares32 (Widynski 2022, arXiv 2004.06278v7) on
// pairs of u32. Normals stay on the host: their logarithm and cosine are defined in float64, which WGSL has not.

import { count } from "../../ir/tensor.js";
import { invocations } from "../grid.js";
import type { Implementation } from "../kernel.js";
import type { Features, Limits } from "../limits.js";
import { divided, modulo } from "../place.js";
import { single } from "../single.js";
import { KernelWriter } from "../writer.js";

/** 64-bit words as vec2u(low, high); products from 16-bit halves, as in rng.ts. */
const squares = `fn multiply_high(a: u32, b: u32) -> u32 {
  let low = (a & 0xffffu) * (b & 0xffffu);
  let left = (a & 0xffffu) * (b >> 16u);
  let right = (a >> 16u) * (b & 0xffffu);
  let carry = (low >> 16u) + (left & 0xffffu) + (right & 0xffffu);
  return (a >> 16u) * (b >> 16u) + (left >> 16u) + (right >> 16u) + (carry >> 16u);
}

fn add64(a: vec2u, b: vec2u) -> vec2u {
  let low = a.x + b.x;
  return vec2u(low, a.y + b.y + select(0u, 1u, low < a.x));
}

fn multiply64(a: vec2u, b: vec2u) -> vec2u {
  return vec2u(a.x * b.x, multiply_high(a.x, b.x) + a.x * b.y + a.y * b.x);
}

// Four rounds x = swap(x * x + (y or z)), y = counter * key, z = y + key; the answer is the last high half.
fn squares32(key: vec2u, counter: vec2u) -> u32 {
  let y = multiply64(counter, key);
  let z = add64(y, key);
  var x = add64(multiply64(y, y), y).yx;
  x = add64(multiply64(x, x), z).yx;
  x = add64(multiply64(x, x), y).yx;
  return add64(multiply64(x, x), z).y;
}`;

/**
 * bits[row, position, channel] = squares32(key, counter), counter high = row * 2^16 + draw, low = position *
 * channels + channel. Operand 0 is i32[3] = [key low, key high, draw], result 0 i32[shape] (the bits of a u32).
 */
export function noiseBits(
  shape: readonly [rows: number, length: number, channels: number],
  limits: Limits,
  features: Features,
): Implementation {
  const w = new KernelWriter(limits, features);
  const size = count(shape);
  const perRow = shape[1] * shape[2];
  const key = { kind: "operand", index: 0 } as const;
  const bits = { kind: "result", index: 0 } as const;
  w.buffer(key, "key", "i32", 3);
  w.buffer(bits, "bits", "i32", size, "read_write");
  w.helper("squares32", squares);
  const work = invocations(w, size, (i) => {
    const words = w.bind(`vec2u(u32(${w.at(key, "0")}), u32(${w.at(key, "1")}))`, "words");
    const high = w.bind(`(${divided(i, perRow)}) * 65536u + u32(${w.at(key, "2")})`, "high");
    w.put(bits, i, `i32(squares32(${words}, vec2u(${modulo(i, perRow)}, ${high})))`);
  });
  return single(
    w,
    w.finish({
      name: `noise_bits_${shape.join("x")}`,
      comment: [
        `Random bits of [${shape.join(", ")}]: Squares32 of key and counter (row, draw, position, channel).`,
      ],
      ...work,
    }),
  );
}
