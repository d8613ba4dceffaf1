// What is said and drawn of positions at levels of their own.
import { expect, test } from "vitest";
import { checkSchedules } from "../../src/diffusion/check.js";
import type { GridPoint } from "../../src/diffusion/grid.js";
import { evenly, plotMapSvg, plotMapText, positionMap } from "../../src/diffusion/plot-positions.js";

const grid = (...bars: number[]): GridPoint[] =>
  bars.map((alphaBar, i) => ({
    t: 1 - i / 10,
    level: { alphaBar, sigma2: 1 - alphaBar, gamma: Math.log((1 - alphaBar) / alphaBar) },
  }));

test("a position may wait, and noise that rises is told with the position, once", () => {
  expect(checkSchedules([grid(0.01, 0.01, 0.9), grid(0.02, 0.5, 0.9)])).toEqual([]);
  const rising = checkSchedules([grid(0.01, 0.5, 0.9), grid(0.01, 0.5, 0.4, 0.9), grid(0.01, 0.6, 0.5, 0.9)]);
  expect(rising.map(({ code, message }) => [code, message])).toEqual([
    [
      "schedule/not-monotone",
      "the noise of position 1 does not fall from t = 0.9 (alpha_bar 0.5) to t = 0.8 (alpha_bar 0.4)",
    ],
  ]);
  // Without positions a standing level is one visited twice.
  expect(checkSchedules([grid(0.01, 0.01, 0.9)]).map(({ code }) => code)).toEqual(["schedule/not-monotone"]);
});

test("the first position of each kind of problem", () => {
  const found = checkSchedules([grid(0.01, 0.9), grid(0.2, 0.9), grid(0.3, 0.2, 0.9), grid(0.01, 0.1)]);
  expect(found.map(({ code, message }) => `${code} ${message.match(/position \d/)![0]}`)).toEqual([
    "schedule/noisy-end position 1",
    "schedule/not-monotone position 2",
    "schedule/clean-end position 3",
  ]);
});

test("a map of shades, steps to the right and positions down", () => {
  const map = positionMap([grid(0, 0.55, 1), grid(0, 0, 0.25)]);
  expect(plotMapText(map).split("\n")).toEqual([
    "alpha_bar, the part of the power that is signal, by step and position",
    "position |",
    "       0 | +@",
    "       1 |  :",
    "         +---",
    '          3 steps, 2 positions; " .:-=+*#%@" from noise to signal',
  ]);
  const svg = plotMapSvg(map, 380, 280);
  expect(svg).toContain('<rect x="140.0" y="40.0" width="100.00" height="100.00" fill-opacity="0.550"/>');
  expect(svg).toContain('<rect x="240.0" y="140.0" width="100.00" height="100.00" fill-opacity="0.250"/>');
});

test("of many the ends and evenly chosen ones", () => {
  expect(evenly(3, 5)).toEqual([0, 1, 2]);
  expect(evenly(2000, 4)).toEqual([0, 666, 1333, 1999]);
  const many = positionMap(
    Array.from({ length: 70 }, () => grid(...Array.from({ length: 90 }, (_, i) => i / 90))),
  );
  const lines = plotMapText(many, 10, 5).split("\n");
  expect(lines.slice(2, -2).map((line) => line.slice(0, 8).trim())).toEqual(["0", "17", "35", "52", "69"]);
  expect(lines.at(-1)).toContain("10 of 90 steps, 5 of 70 positions");
});
