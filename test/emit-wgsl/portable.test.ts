// The same kernels under SwiftShader: no f16, no wide subgroups assumed, 256 invocations, another compiler.

import { afterAll, beforeAll, expect, test } from "vitest";
import { judgeCase } from "./case.js";
import { type Device, openDevice } from "./device.js";
import { gallery } from "./gallery.js";

let device: Device | undefined;
beforeAll(async () => {
  device = await openDevice("swiftshader");
});
afterAll(() => device?.close());

test.each(gallery.map((c) => [c.name, c] as const))("%s", async (_, each) => {
  if (device === undefined) return;
  expect((await judgeCase(device, each)).problems).toEqual([]);
});
