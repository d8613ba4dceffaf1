// The table of schedule families. Adding one is a file beside this one and a line below.

import { fail } from "../../support/diagnostic.js";
import { cosineRescaled, karras, sigmoid, vpLinear } from "./continuous.js";
import { cosine } from "./cosine.js";
import type { BoundFamily, Constant } from "./family.js";
import { flow } from "./flow.js";
import { scaledLinear, sigmoidBeta } from "./given-betas.js";
import { gumbelQuantile } from "./gumbel-quantile.js";
import { inverseRemaining } from "./inverse-remaining.js";
import { cubic, polynomial } from "./kappa.js";
import { learnedMlp } from "./learned-mlp.js";
import { linear } from "./linear.js";
import { logLinear } from "./log-linear.js";
import { piecewiseLinear } from "./piecewise-linear.js";
import { sqrt } from "./sqrt.js";
import { table } from "./table.js";
import { cosinePower, geometric, linearNoise, logarithmic, power, sine } from "./total-noise.js";

/** Every family, by the name a description uses. */
export const scheduleFamilies = {
  cosine,
  sqrt,
  linear,
  piecewise_linear: piecewiseLinear,
  log_linear: logLinear,
  gumbel_quantile: gumbelQuantile,
  learned_mlp: learnedMlp,
  geometric,
  linear_noise: linearNoise,
  power,
  logarithmic,
  cosine_power: cosinePower,
  sine,
  polynomial,
  cubic,
  inverse_remaining: inverseRemaining,
  table,
  scaled_linear: scaledLinear,
  sigmoid_beta: sigmoidBeta,
  vp_linear: vpLinear,
  cosine_rescaled: cosineRescaled,
  sigmoid,
  karras,
  flow,
};
export type ScheduleFamilyName = keyof typeof scheduleFamilies;

/**
 * Bind a family's constants; those absent from `constants` take the family's defaults.
 * Throws `schedule/unknown-family` for a name that is not in the table and `schedule/constant-missing` for a
 * constant that is to come from the weights and did not.
 */
export function bindFamily(name: string, constants: Readonly<Record<string, unknown>> = {}): BoundFamily {
  const family = Object.hasOwn(scheduleFamilies, name)
    ? scheduleFamilies[name as ScheduleFamilyName]
    : fail("schedule/unknown-family", `there is no noise schedule family "${name}"`, {
        pointer: "/noise_schedule/family",
      });
  const bound: Record<string, Constant> = { ...family.defaults };
  for (const [key, standard] of Object.entries(family.defaults)) {
    const given = constants[key];
    if (given === undefined) continue;
    if (typeof given !== typeof standard || Array.isArray(given) !== Array.isArray(standard))
      fail(
        "schedule/constant-missing",
        `the constant ${key} of ${name} comes from the weights, which were not read`,
        {
          pointer: `/noise_schedule/${key}`,
          help: "give the weights, or write the number into the description",
        },
      );
    bound[key] = given as Constant;
  }
  // The table is heterogeneous: each family's own `bind` accepts exactly the keys of its own defaults.
  return (family.bind as (constants: Readonly<Record<string, Constant>>) => BoundFamily)(bound);
}
