// Levels of each position as a picture: steps from left to right, positions from top to bottom, the part of the power that
// is signal as the shade. Text for terminals, SVG for reports.

import type { GridPoint } from "./grid.js";
import { signalPart } from "./noise-level.js";

/** The part of the power that is signal, in [0, 1], by position and step: `signal[p][k]`. */
export interface PositionMap {
  readonly signal: readonly (readonly number[])[];
}

/** The map of the points that each position visits. */
export function positionMap(grids: readonly (readonly GridPoint[])[]): PositionMap {
  const inside = (part: number) => Math.min(1, Math.max(0, part));
  return { signal: grids.map((grid) => grid.map(({ level }) => inside(signalPart(level)))) };
}

/** `count` numbers of 0 .. size - 1 in even steps, the first and the last among them; all where they are no more. */
export function evenly(size: number, count: number): number[] {
  const taken = Math.min(size, count);
  return Array.from({ length: taken }, (_, i) =>
    taken === 1 ? 0 : Math.round((i * (size - 1)) / (taken - 1)),
  );
}

const shades = " .:-=+*#%@";

/** A text picture of at most `width` steps by `height` positions, evenly chosen. Ends without a line break. */
export function plotMapText({ signal }: PositionMap, width = 64, height = 24): string {
  const steps = evenly(signal[0]?.length ?? 0, width);
  const rows = evenly(signal.length, height);
  const label = Math.max("position".length, String(signal.length - 1).length);
  const shade = (part: number): string =>
    shades[Math.min(shades.length - 1, Math.floor(part * shades.length))]!;
  const lines = rows.map(
    (p) =>
      `${String(p).padStart(label)} |${steps
        .map((k) => shade(signal[p]![k]!))
        .join("")
        .trimEnd()}`,
  );
  const of = (shown: number, all: number, what: string): string =>
    `${shown === all ? all : `${shown} of ${all}`} ${what}`;
  return [
    "alpha_bar, the part of the power that is signal, by step and position",
    `${"position".padStart(label)} |`,
    ...lines,
    `${" ".repeat(label)} +${"-".repeat(steps.length)}`,
    `${" ".repeat(label)}  ${of(steps.length, signal[0]?.length ?? 0, "steps")}, ${of(rows.length, signal.length, "positions")}; "${shades}" from noise to signal`,
  ].join("\n");
}

/** A self-contained SVG picture of at most 200 steps by 100 positions, on light and on dark paper. */
export function plotMapSvg({ signal }: PositionMap, width = 640, height = 320): string {
  const margin = 40;
  const steps = evenly(signal[0]?.length ?? 0, 200);
  const rows = evenly(signal.length, 100);
  const [w, h] = [(width - 2 * margin) / steps.length, (height - 2 * margin) / rows.length];
  const cells = rows.flatMap((p, row) =>
    steps.map((k, column) => {
      const [x, y] = [margin + column * w, margin + row * h].map((value) => value.toFixed(1));
      const size = `width="${w.toFixed(2)}" height="${h.toFixed(2)}"`;
      return `<rect x="${x}" y="${y}" ${size} fill-opacity="${signal[p]![k]!.toFixed(3)}"/>`;
    }),
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12">`,
    "<title>alpha_bar, the part of the power that is signal, by step (left to right) and position (top to bottom)</title>",
    `<g fill="#2a78d6">${cells.join("")}</g>`,
    `<path d="M${margin} ${margin}V${height - margin}H${width - margin}" fill="none" stroke="#888"/>`,
    `<g fill="#888"><text x="${margin}" y="${height - 16}">first step</text>`,
    `<text x="${width - margin}" y="${height - 16}" text-anchor="end">last step</text>`,
    `<text x="${margin - 6}" y="${margin + 10}" text-anchor="end">0</text>`,
    `<text x="${margin - 6}" y="${height - margin}" text-anchor="end">${signal.length - 1}</text></g>`,
    "</svg>",
  ].join("\n");
}
