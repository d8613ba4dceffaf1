// Numbers of a step that its sampler reads, made with the plan: what a page does not compute it does not carry.

import { fail } from "../../support/diagnostic.js";
import type { ContinuousSchedule } from "../resolve.js";
import { flowRates } from "./flow-rates.js";
import { kappaOf } from "./kappa.js";
import type { StepNumbers, TokenPoint } from "./points.js";
import type { TokenSamplerDescription } from "./sampler-description.js";
import { hasScores, type TokenProcess } from "./token-process.js";

interface Step extends TokenPoint {
  readonly step: number;
  readonly to: TokenPoint;
}

/**
 * The numbers of a step. Throws `sampler/no-rate` on a schedule without a derivative, `sampler/no-scores` for noise without
 * closed forms, `sampler/kappa-table`.
 */
export function stepNumbers(
  sampler: TokenSamplerDescription,
  process: TokenProcess,
  { rate, slope }: Pick<ContinuousSchedule, "rate" | "slope">,
  step: Step,
): StepNumbers {
  const { kind, kappa } = sampler;
  if (kind === "psi") return { kappa: kappa === undefined ? 1 : kappaOf(kappa, step) };
  if (kind !== "tau_leaping" && kind !== "analytic" && kind !== "discrete_flow") return {};
  if (!hasScores(process))
    fail("sampler/no-scores", `${kind} is of absorbing and uniform states, and this one is ${process.kind}`, {
      pointer: "/sampler/kind",
      help: 'use the sampler "ancestral"',
    });
  if (kind === "analytic") return {};
  if (rate === undefined || slope === undefined)
    return fail(
      "sampler/no-rate",
      `${kind} needs the derivative of the noise schedule, which this one has not`,
      {
        pointer: "/noise_schedule",
        help: 'use a family of discrete states such as "log_linear", not discretized',
      },
    );
  return kind === "tau_leaping"
    ? { rate: rate(step.t) }
    : { flow: flowRates(step, slope(step.t), step.t - step.to.t, sampler.corrector) };
}
