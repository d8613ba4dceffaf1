// Convolutions and attention among the kernels that are snapshots.

import { dim } from "../../src/ir/dim.js";
import { type Case, makeCase } from "./case.js";

export const sequenceKernels: readonly Case[] = [
  makeCase("fft-conv", (b, input) => {
    const streams = input("streams", [1, 81, 24]);
    const part = (start: number) =>
      b.emit("slice", { x: streams }, { axis: 2, start: dim(start), length: dim(8) });
    const gated = b.emit("mul", { a: part(0), b: part(8) }, {}, "gated");
    const y = b.emit(
      "fft_conv",
      { x: gated, spectrum: input("spectrum", [8, 2, 9, 9]) },
      { factors: [9, 9] },
    );
    return { y: b.emit("mul", { a: y, b: part(16) }, {}) };
  }),
  makeCase("fft-conv-split", (b, input) => ({
    y: b.emit(
      "fft_conv",
      { x: input("x", [1, 3000, 2]), spectrum: input("spectrum", [1, 2, 10, 300]) },
      { factors: [20, 15, 10] },
    ),
  })),
  makeCase("fft-conv-three-kernels", (b, input) => ({
    y: b.emit(
      "fft_conv",
      { x: input("x", [1, 5000, 6]), spectrum: input("spectrum", [6, 2, 16, 320]) },
      { factors: [20, 16, 16] },
    ),
  })),
  makeCase("short-conv", (b, input) => {
    const y = b.emit("long_conv", { x: input("x", [1, 97, 24]), k: input("taps", [3, 24]) }, { lag0: 0 });
    return { y: b.emit("add", { a: y, b: input("bias", [24]) }, {}) };
  }),
  makeCase("attention", (b, input) => ({
    y: b.emit(
      "attention",
      { q: input("q", [1, 33, 16]), k: input("k", [1, 33, 8]), v: input("v", [1, 33, 8]) },
      { heads: 2, kv_heads: 1, scale: 0.35, mask: "causal" },
    ),
  })),
];
