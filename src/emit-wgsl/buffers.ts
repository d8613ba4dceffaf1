// A storage buffer as a kernel declares it, and the expressions that load from it and store to it. Registers hold f32
// for f16. Halves lie in a buffer in one of two forms, the same bytes both times: as f16 where the device has 16-bit
// storage (`enable f16;`), else in words of two, which unpack2x16float reads on every device.

import { type Element, numbersPer } from "../ir/tensor.js";
import type { Binding } from "./dispatch.js";
import { divided, modulo } from "./place.js";

export interface Declared {
  readonly binding: Binding;
  /** Its shape, for the reader of the code. */
  readonly note: string;
  /** An array of vec4 (of words: of two words). */
  readonly vector: boolean;
  /** Halves as words. */
  readonly words: boolean;
}

/** Gives a pure expression a name. */
type Bind = (expression: string, hint: string) => string;

/** How an element lies in a buffer. */
export function storageType(element: Element): string {
  return element === "bool" ? "u32" : element === "c64" ? "vec2f" : element;
}

/** Bytes of one stored element. */
export function storedBytes(element: Element): number {
  return element === "f16" ? 2 : 4 * numbersPer(element);
}

/** The declaration as binding k. */
export function declaration({ binding, note, vector, words }: Declared, k: number): string {
  const { name, element, access } = binding;
  const four = words ? "vec2u" : element === "f16" ? "vec4h" : "vec4f";
  const one = words ? "u32" : storageType(element);
  return `@group(0) @binding(${k}) var<storage, ${access}> ${name}: array<${vector ? four : one}>; // ${note}`;
}

/** Element `index` as a register holds it. */
export function loadOne(
  { binding: { name, element }, vector, words }: Declared,
  index: string,
  bind: Bind,
): string {
  if (words) {
    const i = bind(index, "i");
    const word = vector ? `${name}[${i} / 4u][(${i} / 2u) % 2u]` : `${name}[${i} / 2u]`;
    return `unpack2x16float(${word})[${i} % 2u]`;
  }
  const raw = vector ? `${name}[${divided(index, 4)}][${modulo(index, 4)}]` : `${name}[${index}]`;
  return element === "f16" ? `f32(${raw})` : element === "bool" ? `${raw} != 0u` : raw;
}

/** Four elements from `index`, a multiple of 4, of an array of vec4. */
export function loadFour({ binding: { name, element }, words }: Declared, index: string, bind: Bind): string {
  const raw = `${name}[${quarter(index)}]`;
  if (words) {
    const four = bind(raw, `${name}_words`);
    return `vec4f(unpack2x16float(${four}.x), unpack2x16float(${four}.y))`;
  }
  return element === "f16" ? `vec4f(${raw})` : raw;
}

/** The statement that stores a register's value as element `index`. */
export function storeOne(
  { binding: { name, element }, vector }: Declared,
  index: string,
  value: string,
): string {
  const target = vector ? `${name}[${divided(index, 4)}][${modulo(index, 4)}]` : `${name}[${index}]`;
  const stored =
    element === "f16" ? `f16(${value})` : element === "bool" ? `select(0u, 1u, ${value})` : value;
  return `${target} = ${stored};`;
}

/** The statement that stores four from `index`, a multiple of 4, of an array of vec4. */
export function storeFour({ binding: { name, element } }: Declared, index: string, value: string): string {
  return `${name}[${quarter(index)}] = ${element === "f16" ? `vec4h(${value})` : value};`;
}

/** index / 4, folded where it is a product by 4. */
function quarter(index: string): string {
  const product = /^(\w+) \* 4u$/.exec(index);
  return product === null ? divided(index, 4) : product[1]!;
}
