// A resolved schedule as a picture: alpha_bar over time, with the levels that sampling visits marked.
// Text for terminals, SVG for reports; both come from the same curve.

import { levelAt } from "./discretize.js";
import type { GridPoint } from "./grid.js";
import { type NoiseLevel, signalPart } from "./noise-level.js";
import type { ResolvedSchedule } from "./resolve.js";

/** Points of a curve; x is time from clean (0) to noisy (1), y the part of the power that is signal, in [0, 1]. */
export interface ScheduleCurve {
  readonly curve: readonly (readonly [x: number, y: number])[];
  readonly visited: readonly (readonly [x: number, y: number])[];
}

/**
 * The part of the power that is signal at `samples` times, and at the visited points of `grid`; `of` makes the process's
 * level of the schedule's, which those of `grid` are already.
 */
export function scheduleCurve(
  schedule: ResolvedSchedule,
  grid: readonly GridPoint[],
  of: (level: NoiseLevel) => NoiseLevel = (level) => level,
  samples = 200,
): ScheduleCurve {
  const inside = (alphaBar: number) => Math.min(1, Math.max(0, alphaBar));
  const curve = Array.from({ length: samples }, (_, i): readonly [number, number] => {
    // Quantile families are infinite at exactly 0 and 1: sample the middles.
    const x = (i + 0.5) / samples;
    if (schedule.kind === "continuous") return [x, inside(signalPart(of(schedule.at(x))))];
    const index = Math.min(schedule.steps - 1, Math.floor(x * schedule.steps));
    return [x, signalPart(of(levelAt(schedule, index)))];
  });
  return { curve, visited: grid.map(({ t, level }) => [t, inside(signalPart(level))] as const) };
}

/**
 * A text picture of `width` x `height` characters inside its axes: `.` is the schedule, `o` a visited level.
 * Ends without a line break.
 */
export function plotText({ curve, visited }: ScheduleCurve, width = 64, height = 16): string {
  const canvas = Array.from({ length: height }, () => new Array<string>(width).fill(" "));
  const mark = (points: ScheduleCurve["curve"], character: string) => {
    for (const [x, y] of points)
      canvas[Math.round((1 - y) * (height - 1))]![Math.round(x * (width - 1))] = character;
  };
  mark(curve, ".");
  mark(visited, "o");
  const labels = new Map([
    [0, "1.0"],
    [height - 1, "0.0"],
  ]);
  const lines = canvas.map((row, i) => `${(labels.get(i) ?? "").padStart(3)} |${row.join("").trimEnd()}`);
  const title = "alpha_bar, the part of the power that is signal";
  const axis = `    +${"-".repeat(width)}`;
  const ends = `     clean${"noise".padStart(width - "clean".length)}`;
  const legend = `     . schedule   o visited (${visited.length})`;
  return [title, ...lines, axis, ends, legend].join("\n");
}

/** A self-contained SVG picture, colours that read on light and on dark paper. */
export function plotSvg({ curve, visited }: ScheduleCurve, width = 640, height = 320): string {
  const margin = 40;
  const place = ([x, y]: readonly [number, number]): readonly [string, string] => [
    (margin + x * (width - 2 * margin)).toFixed(1),
    (margin + (1 - y) * (height - 2 * margin)).toFixed(1),
  ];
  const line = curve.map((point) => place(point).join(",")).join(" ");
  const dots = visited.map((point) => {
    const [x, y] = place(point);
    return `<circle cx="${x}" cy="${y}" r="2.5"/>`;
  });
  const [left, top] = place([0, 1]);
  const [right, bottom] = place([1, 0]);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12">`,
    "<title>alpha_bar, the part of the power that is signal, over time; dots are the levels that sampling visits</title>",
    `<path d="M${left} ${top}V${bottom}H${right}" fill="none" stroke="#888"/>`,
    `<polyline points="${line}" fill="none" stroke="#2a78d6" stroke-width="1.5"/>`,
    `<g fill="#d9622b">${dots.join("")}</g>`,
    `<g fill="#888"><text x="${left}" y="${height - 16}">clean</text>`,
    `<text x="${right}" y="${height - 16}" text-anchor="end">noise</text>`,
    `<text x="${margin - 6}" y="${margin + 4}" text-anchor="end">1</text>`,
    `<text x="${margin - 6}" y="${height - margin + 4}" text-anchor="end">0</text></g>`,
    "</svg>",
  ].join("\n");
}
