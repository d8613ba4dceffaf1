// Long convolutions of real sizes go through float64 transforms; the sum is the definition they are held to.
import { expect, test } from "vitest";
import { evaluate } from "../../src/ir/evaluate.js";
import { directConvolution } from "../../src/ir/fft/convolve.js";
import { parseModule } from "../../src/ir/parse.js";
import { seededTensor } from "../../src/ir/seeded.js";

for (const [name, taps, attributes] of [
  ["causal", 600, "lag0 = 0"],
  ["bidirectional with a modulus", 1199, "lag0 = 599, length = 640"],
  ["circular", 600, "lag0 = 0, circular = true"],
] as const)
  test(name, () => {
    const module = parseModule(
      `graph @g(%x: f32[1, 600, 4], %k: f32[${taps}, 2]) {\n  %y = long_conv %x, %k {${attributes}} : f32[1, 600, 4]\n  return y = %y\n}\n`,
    );
    const x = seededTensor("x", "f32", [1, 600, 4]);
    const k = seededTensor("k", "f32", [taps, 2]);
    const [y] = evaluate(module, "g", [x, k]);
    for (let c = 0; c < 4; c++) {
      const filter = {
        taps: Float64Array.from({ length: taps }, (_, j) => k.data[j * 2 + Math.floor(c / 2)]!),
        lag0: name.startsWith("bi") ? 599 : 0,
        circular: name === "circular",
      };
      const expected = directConvolution(
        filter,
        Float64Array.from({ length: 600 }, (_, t) => x.data[t * 4 + c]!),
      );
      // Both are float64; |k|_1 |x|_max 2^-53 log2(N) bounds what the transform may be off by.
      expected.forEach((value, t) => {
        expect(Math.abs(y!.data[t * 4 + c]! - value)).toBeLessThan(taps * 2 ** -53 * 12);
      });
    }
  });
