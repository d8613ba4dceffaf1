// Random bits on a device are those of the host.

import { afterAll, beforeAll, expect, test } from "vitest";
import { deriveKey, squares32 } from "../../src/diffusion/rng.js";
import { noiseBits } from "../../src/emit-wgsl/kernels/noise.js";
import { defaultLimits, noFeatures } from "../../src/emit-wgsl/limits.js";
import { tensor } from "../../src/ir/tensor.js";
import { type Device, mainDriver, openDevice } from "./device.js";
import { runOn } from "./run.js";

let device: Device | undefined;
beforeAll(async () => {
  device = await openDevice(mainDriver);
});
afterAll(() => device?.close());

test.each([
  [1, 1, 1, 0, 1],
  [3, 7, 24, 17, 42],
  [2, 97, 13, 65535, 2 ** 53 - 1],
])("bits of %i x %i x %i, draw %i, seed %i", async (rows, length, channels, draw, seed) => {
  if (device === undefined) return;
  const key = deriveKey(seed);
  const shape = [rows, length, channels] as const;
  const [bits] = await runOn(
    device,
    noiseBits(shape, defaultLimits, noFeatures),
    [tensor("i32", [3], Float64Array.of(key.lo | 0, key.hi | 0, draw))],
    [{ element: "i32", shape }],
  );
  const expected = Array.from({ length: rows * length * channels }, (_, i) => {
    const row = Math.floor(i / (length * channels));
    return squares32(key, (row * 0x10000 + draw) >>> 0, i % (length * channels)) | 0;
  });
  expect([...bits!.data]).toEqual(expected);
});
