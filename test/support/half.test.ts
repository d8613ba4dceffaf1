// 16-bit floats against the definitions of IEEE 754 binary16 and bfloat16.

import { expect, test } from "vitest";
import { decodeBfloat16, decodeHalf, encodeHalf } from "../../src/support/half.js";

test.each([
  [0x0000, 0],
  [0x8000, -0],
  [0x0001, 2 ** -24],
  [0x03ff, 1023 * 2 ** -24],
  [0x0400, 2 ** -14],
  [0x3c00, 1],
  [0x3555, 1365 / 4096],
  [0xc100, -2.5],
  [0x7bff, 65504],
  [0x7c00, Number.POSITIVE_INFINITY],
  [0xfc00, Number.NEGATIVE_INFINITY],
])("binary16 %s", (bits, value) => {
  expect(decodeHalf(bits)).toBe(value);
  expect(encodeHalf(value)).toBe(bits);
});

test("every finite binary16 comes back", () => {
  for (let bits = 0; bits < 0x10000; bits++) {
    const value = decodeHalf(bits);
    if (!Number.isNaN(value)) expect(encodeHalf(value)).toBe(bits);
  }
});

test("ties go to the even pattern, and 65520 overflows", () => {
  expect(encodeHalf(1 + 2 ** -11)).toBe(0x3c00);
  expect(encodeHalf(1 + 3 * 2 ** -11)).toBe(0x3c02);
  expect(encodeHalf(2 ** -25)).toBe(0);
  expect(encodeHalf(3 * 2 ** -25)).toBe(2);
  expect(encodeHalf(1023.5 * 2 ** -24)).toBe(0x0400);
  expect(encodeHalf(65519.99)).toBe(0x7bff);
  expect(encodeHalf(65520)).toBe(0x7c00);
  expect(encodeHalf(Number.NaN)).toBe(0x7e00);
});

test("bfloat16 is the upper half of binary32", () => {
  expect(decodeBfloat16(0x3fc0)).toBe(1.5);
  expect(decodeBfloat16(0xff80)).toBe(Number.NEGATIVE_INFINITY);
  expect(decodeBfloat16(0x0001)).toBe(2 ** -133);
  expect(decodeBfloat16(0x7fc0)).toBeNaN();
});
