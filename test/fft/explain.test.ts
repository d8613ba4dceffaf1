import { expect, test } from "vitest";
import { cpuProfile } from "../../src/ir/fft/profiles.js";
import { parseModule } from "../../src/ir/parse.js";
import { explainFft, fftReportText } from "../../src/passes/fft/explain.js";

const module = parseModule(`dim B in 1..8
dim M in 1..64

graph @denoise(%x: f32[B, 1024, 256], %k: f32[1024, 256], %s: f32[3, 256], %z: f32[B, M, 2], %j: f32[1, 2]) {
  %0 = long_conv %x, %k {lag0 = 0} : f32[B, 1024, 256]
  %1 = long_conv %0, %k {lag0 = 0} : f32[B, 1024, 256]
  %2 = long_conv %1, %s {lag0 = 1} : f32[B, 1024, 256]
  %3 = long_conv %z, %j {lag0 = 0} : f32[B, M, 2]
  return y = %2, z = %3
}
`);

test("alike convolutions are one entry, free lengths are named", () => {
  const report = explainFft(module, cpuProfile());
  expect(report.convolutions.map((c) => [c.places.length, c.minLag, c.maxLag])).toEqual([
    [2, 0, 1023],
    [1, -1, 1],
  ]);
  expect(report.unbound).toHaveLength(1);
  for (const { lowerings } of report.convolutions) {
    expect(lowerings.filter((l) => l.chosen)).toHaveLength(1);
    const seconds = lowerings.map((l) => l.seconds);
    expect([...seconds].sort((a, b) => a - b)).toEqual(seconds);
  }
  expect(report.convolutions[0]!.lowerings.find((l) => l.chosen)!.name).toBe("right_angle 16x8x8");
  expect(report.convolutions[1]!.lowerings.find((l) => l.chosen)!.name).toBe("depthwise");
  expect(JSON.parse(JSON.stringify(report))).toEqual(report);
});

test("the text marks the choice and says what is only taken by name", () => {
  const text = fftReportText(explainFft(module, cpuProfile()));
  expect(text).toContain("1024 samples, 256 channels, one filter each, lags 0..1023; batch 1 on cpu");
  expect(text).toMatch(/^\* {2}right_angle 16x8x8 +1\.\d\d ms +2\.\de-7 +7 +2\.1 MB +\d+\.\d kB +0$/m);
  expect(text).toMatch(/^ {3}dft \(only by name\) /m);
  expect(text).toContain("length not bound");
  expect(fftReportText({ profile: "cpu", batch: 1, convolutions: [], unbound: [] })).toBe(
    "no long convolutions\n",
  );
});
