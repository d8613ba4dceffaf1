// One plan from those of single positions. Each position walks its own grid through its own schedule by the same formulas
// as a text at one level would; all of them have as many rows.

import type { SamplerPlan, SamplerRow } from "./rows.js";

/** The plan that takes position p by `plans[p]`. Where all are alike it is any of them. */
export function joinPlans(plans: readonly SamplerPlan[]): SamplerPlan {
  const [first] = plans as readonly [SamplerPlan];
  const scales = plans.map((plan) => plan.initialNoiseScale);
  const finals = plans.flatMap(({ finalRow }) => finalRow ?? []);
  return {
    ...first,
    rows: first.rows.map((_, step) => joinPoints<SamplerRow>(plans.map(({ rows }) => rows[step]!))),
    initialNoiseScale: mean(scales),
    ...(scales.some((scale) => scale !== scales[0]) && { initialNoiseScales: scales }),
    ...(finals.length > 0 && { finalRow: joinPoints(finals) }),
  };
}

/** One point of those of each position: any of them where they are alike, else their means and `positions`. */
export function joinPoints<P extends object>(
  points: readonly P[],
): P & { readonly positions?: readonly P[] } {
  const [first] = points as readonly [P];
  const texts = new Set(points.map((point) => flat(point).join(" ")));
  if (texts.size === 1) return first;
  return { ...(meanOf(points) as P), positions: points };
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

/** The means of numbers by their names; objects of numbers inside likewise. */
function meanOf(all: readonly object[]): object {
  return Object.fromEntries(
    Object.entries(all[0]!).map(([name, value]) => {
      const values = all.map((each) => (each as Readonly<Record<string, unknown>>)[name]);
      return [name, typeof value === "number" ? mean(values as number[]) : meanOf(values as object[])];
    }),
  );
}

/** A point's numbers, those of objects inside among them. */
function flat(point: object): number[] {
  return Object.values(point).flatMap((value: number | object) =>
    typeof value === "number" ? [value] : flat(value),
  );
}
