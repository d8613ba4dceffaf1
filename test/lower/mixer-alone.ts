// A mixer by itself on every back end that this machine has, with synthetic weights whose values an oracle can read.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import { floats, load, openGraph } from "../../src/conformance/goldens/backends.js";
import { type Each, mapEach } from "../../src/conformance/goldens/each.js";

export interface Sizes {
  readonly batch: number;
  readonly length: number;
  readonly width: number;
}

export interface MixerRun extends Sizes {
  /** The input, [batch, length, width]. */
  readonly x: Float64Array;
  /** Outputs by back end, [batch, length, width]. */
  readonly y: Each<Float64Array>;
  /** A parameter by its canonical name. */
  parameter(name: string): ArrayLike<number>;
}

/** Smooth numbers without a pattern that a mistake could hide behind. */
function wave(size: number): Float64Array {
  return Float64Array.from({ length: size }, (_, i) =>
    Math.fround(Math.sin(3 * i + 1) * (0.5 + (i % 5) / 4)),
  );
}

export async function runMixer(mixer: object, { batch, length, width }: Sizes): Promise<MixerRun> {
  const directory = mkdtempSync(join(tmpdir(), "dlmc-mixer-"));
  try {
    const model = load({ part: "mixer", width, seq_len: length, mixer }, directory, { synthetic: 3 });
    const x = wave(batch * length * width);
    const graph = await openGraph(model, "mixer", {}, directory);
    const outputs = await graph.run({ x: floats([batch, length, width], x) });
    await graph.dispose();
    const y = mapEach(outputs, (values) => values.y!);
    return { batch, length, width, x, y, parameter: (name) => model.module.weights!.read(name).data };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** The reference to 1e-10 of the largest value, float32 targets to 2e-5 of it. */
export function expectEach({ y }: MixerRun, expected: ArrayLike<number>): void {
  const largest = Math.max(...Array.from(expected, Math.abs));
  for (const [target, values] of Object.entries(y) as [string, Float64Array][]) {
    expect(values.length, target).toBe(expected.length);
    const worst = Math.max(...Array.from(expected, (value, i) => Math.abs(value - values[i]!)));
    expect(worst, target).toBeLessThanOrEqual((target === "reference" ? 1e-10 : 2e-5) * largest);
  }
}

/** y[t, c] = sum_s k(c, t - s) x[s, c], of one batch row [length, width]. */
export function convolveDirectly(
  x: ArrayLike<number>,
  length: number,
  width: number,
  k: (channel: number, lag: number) => number,
): Float64Array {
  const y = new Float64Array(length * width);
  for (let t = 0; t < length; t++)
    for (let s = 0; s < length; s++)
      for (let c = 0; c < width; c++) y[t * width + c]! += k(c, t - s) * x[s * width + c]!;
  return y;
}

/** y = W x + b of rows, W [out, in]. */
export function linearDirectly(
  x: ArrayLike<number>,
  weight: ArrayLike<number>,
  bias: ArrayLike<number> | undefined,
  inputs: number,
): Float64Array {
  const outputs = weight.length / inputs;
  const rows = x.length / inputs;
  const y = new Float64Array(rows * outputs);
  for (let r = 0; r < rows; r++)
    for (let o = 0; o < outputs; o++) {
      let sum = bias?.[o] ?? 0;
      for (let i = 0; i < inputs; i++) sum += weight[o * inputs + i]! * x[r * inputs + i]!;
      y[r * outputs + o] = sum;
    }
  return y;
}
