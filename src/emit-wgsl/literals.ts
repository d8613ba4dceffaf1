// Types, numbers and lists as WGSL text.

import type { Element } from "../ir/tensor.js";

/** What a register holds: f16 is computed in f32. */
export function registerType(element: Element, lanes: 1 | 4 = 1): string {
  const scalar = element === "f16" ? "f32" : element === "c64" ? "vec2f" : element;
  return lanes === 1 ? scalar : scalar === "f32" ? "vec4f" : `vec4<${scalar}>`;
}

/** A WGSL f32 literal: the shortest decimal that rounds to the nearest f32. */
export function float(value: number): string {
  const nearest = Math.fround(value);
  let text = String(nearest);
  for (let digits = 1; digits <= 9; digits++) {
    const short = String(Number(nearest.toPrecision(digits)));
    if (Math.fround(Number(short)) !== nearest) continue;
    text = short;
    break;
  }
  return /[.e]/.test(text) ? text : `${text}.0`;
}

/** A list over lines of at most 100 characters. */
export function wrapped(items: readonly string[]): string {
  const lines: string[] = [];
  let line = " ";
  for (const item of items) {
    if (line.length + item.length > 98) {
      lines.push(line);
      line = " ";
    }
    line += ` ${item},`;
  }
  return [...lines, line].join("\n");
}

/** Bytes of a WGSL scalar or vector type in an array. */
export function typeBytes(type: string): number {
  if (type === "vec2f" || type === "vec2u") return 8;
  if (type === "vec4f" || type === "vec4u") return 16;
  return 4;
}
