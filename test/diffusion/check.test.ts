import { describe, expect, it } from "vitest";
import { checkSchedule } from "../../src/diffusion/check.js";
import { resolveGrid, type TimestepsDescription } from "../../src/diffusion/grid.js";
import { plotSvg, plotText, scheduleCurve } from "../../src/diffusion/plot.js";
import { type NoiseScheduleDescription, resolveSchedule } from "../../src/diffusion/resolve.js";

function grid(noise: NoiseScheduleDescription, timesteps: TimestepsDescription) {
  return resolveGrid(timesteps, resolveSchedule(noise));
}
const codes = (...args: Parameters<typeof grid>) => checkSchedule(grid(...args)).map((d) => d.code);
const ratio = { kind: "ratio_beta", num_train_steps: 100 } as const;

describe("checkSchedule", () => {
  it("finds nothing wrong with the published schedules", () => {
    expect(codes({ family: "sqrt", discretization: ratio }, { kind: "all" })).toEqual([]);
    expect(codes({ family: "cosine", discretization: ratio }, { kind: "spaced", sections: 10 })).toEqual([]);
    expect(codes({ family: "linear" }, { kind: "all" })).toEqual([]);
    expect(codes({ family: "log_linear" }, { kind: "linspace", num_steps: 8 })).toEqual([]);
    const gumbel = checkSchedule(grid({ family: "gumbel_quantile" }, { kind: "quantile", num_steps: 8 }));
    expect(gumbel.filter((d) => d.severity === "error")).toEqual([]);
  });

  it("names alpha_bar outside its range", () => {
    expect(codes({ family: "sqrt" }, { kind: "linspace", from: 1, num_steps: 4 })).toEqual([
      "schedule/out-of-range",
      "schedule/not-monotone",
    ]);
  });

  it("names an infinite log SNR", () => {
    const ends = grid({ family: "log_linear" }, { kind: "linspace", to: 0, num_steps: 3 });
    const problems = checkSchedule(ends, { kind: "ddim" });
    expect(problems).toMatchObject([{ code: "schedule/infinite-snr", severity: "error" }]);
    expect(checkSchedule(ends, { kind: "ancestral" })).toEqual([]);
    expect(checkSchedule(ends)).toMatchObject([{ code: "schedule/infinite-snr", severity: "warning" }]);
    expect(problems[0]!.message).toContain("t = 0");
  });

  it("names times in the wrong order and visited twice", () => {
    const discretization = ratio;
    expect(codes({ family: "cosine", discretization }, { kind: "table", values: [99, 10, 20] })).toEqual([
      "schedule/not-monotone",
    ]);
    expect(codes({ family: "cosine", discretization }, { kind: "table", values: [99, 10, 10] })).toEqual([
      "schedule/not-monotone",
    ]);
  });

  it("warns of ends that are not ends", () => {
    expect(codes({ family: "log_linear" }, { kind: "linspace", from: 0.5, to: 0.1, num_steps: 3 })).toEqual([
      "schedule/noisy-end",
    ]);
    expect(codes({ family: "log_linear" }, { kind: "linspace", to: 0.9, num_steps: 3 })).toEqual([
      "schedule/clean-end",
    ]);
  });
});

describe("plots", () => {
  const schedule = resolveSchedule({ family: "log_linear", eps: 1e-12 } as NoiseScheduleDescription);
  const curve = scheduleCurve(schedule, resolveGrid({ kind: "linspace", to: 0.5, num_steps: 2 }, schedule));

  it("draws the part that is signal where the noise explodes", () => {
    // sigma = 1 + 3 t: at the clean end half of the power, at the noisy end a seventeenth.
    const family = { family: "karras", rho: 1, sigma_min: 1, sigma_max: 4, process: "variance_exploding" };
    const schedule = resolveSchedule(family);
    const grid = resolveGrid({ kind: "linspace", from: 1, to: 0, num_steps: 2 }, schedule);
    const { visited } = scheduleCurve(schedule, grid);
    expect(visited.map(([, y]) => y)).toEqual([expect.closeTo(1 / 17, 12), expect.closeTo(1 / 2, 12)]);
  });

  it("draws the straight line of log_linear as a diagonal", () => {
    expect(plotText(curve, 5, 5).split("\n")).toEqual([
      "alpha_bar, the part of the power that is signal",
      "1.0 |.",
      "    | .",
      "    |  o",
      "    |   .",
      "0.0 |    o",
      "    +-----",
      "     cleannoise",
      "     . schedule   o visited (2)",
    ]);
  });

  it("draws the same points as SVG", () => {
    const svg = plotSvg(curve, 640, 320);
    // The middle of the plot area and its lower right corner.
    expect(svg).toContain('<circle cx="320.0" cy="160.0" r="2.5"/>');
    expect(svg).toContain('<circle cx="600.0" cy="280.0" r="2.5"/>');
  });
});
