// Direct convolutions on a device: every lag layout, shared filters, skip terms, lines shorter than the filter.

import { afterAll, beforeAll, expect, test } from "vitest";
import { judgeCase, makeCase } from "./case.js";
import { type Device, openDevice } from "./device.js";

let device: Device | undefined;
beforeAll(async () => {
  device = await openDevice("swiftshader");
});
afterAll(() => device?.close());

const shapes: readonly (readonly [
  length: number,
  width: number,
  taps: number,
  groups: number,
  lag0: number,
])[] = [
  [1, 1, 1, 1, 0],
  [1, 3, 3, 3, 1],
  [2, 8, 3, 8, 0],
  [3, 24, 4, 24, 3],
  [97, 24, 3, 24, 1],
  [36, 12, 5, 3, 2],
  [13, 10, 4, 1, 0],
  [9, 4, 30, 4, 11],
];

test.each([false, true])("circular %s", async (circular) => {
  if (device === undefined) return;
  for (const [length, width, taps, groups, lag0] of shapes)
    for (const skip of [false, true]) {
      const made = makeCase(`${length}x${width}, ${taps} taps`, (b, input) => ({
        y: b.emit(
          "long_conv",
          {
            x: input("x", [2, length, width]),
            k: input("k", [taps, groups]),
            skip: skip ? input("skip", [width]) : undefined,
          },
          { lag0, circular },
        ),
      }));
      expect((await judgeCase(device, made)).problems, made.name).toEqual([]);
    }
});
