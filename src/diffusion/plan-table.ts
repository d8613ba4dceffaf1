// A plan as a table of JSON, and back. A bundle's manifest holds that of its compiled number of steps, so a page that asks
// for no other number loads no schedule, grid or sampler rule: those are in plan.js beside it.

import { isTokenPlan, type Plan } from "./plans.js";

/** More rows than this, those of each position counted, are left to plan.js: a manifest is read whole before anything is shown. */
const mostRows = 256;

/** The plan for JSON, where infinities and NaN are words; undefined for one that rows alone do not say. */
export function planTable(plan: Plan): object | undefined {
  const asksBetweenRows = isTokenPlan(plan) && plan.sampler.kind === "first_hitting";
  const rows = isTokenPlan(plan)
    ? plan.rows.length
    : plan.rows.reduce((sum, { positions }) => sum + (positions?.length ?? 1), 0);
  const hasFunctions = isTokenPlan(plan) && ("maps" in plan.process || plan.revision !== undefined);
  if (asksBetweenRows || hasFunctions || rows > mostRows) return undefined;
  const word = (_: string, value: unknown): unknown =>
    typeof value === "number" && !Number.isFinite(value) ? String(value) : value;
  return JSON.parse(JSON.stringify(plan, word)) as object;
}

/** The plan that a table holds. */
export function readPlanTable(table: object): Plan {
  const number = (value: unknown): unknown => {
    if (value === "Infinity" || value === "-Infinity" || value === "NaN") return Number(value);
    if (Array.isArray(value)) return value.map(number);
    return typeof value === "object" && value !== null
      ? Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, number(entry)]))
      : value;
  };
  return number(table) as Plan;
}
