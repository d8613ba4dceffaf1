// BD3-LM: move-chance schedules, and the attention mask of block diffusion over noised and clean positions.

import { resolveSchedule } from "../../../diffusion/index.js";
import type { Computed } from "../compare.js";
import { type GoldenCase, hasTensor, objectOf, tensorOf } from "../golden-case.js";
import { type NamedSchedules, scheduleTables } from "./discrete-schedule.js";
import { type GoldenSystem, isNamed } from "./system.js";

export const bd3: GoldenSystem = {
  name: "BD3-LM",
  covers: (golden) => isNamed(golden, "bd3"),
  compute: async (golden) => [
    ...scheduleTables(golden, schedules),
    ...lossScalings(golden),
    ...masks(golden),
  ],
};

/** Upstream's noise schedules with its constants (noise_schedule.py). */
const schedules: NamedSchedules = {
  loglinear: { family: "power", exponent: 1 },
  square: { family: "power", exponent: 2, floor: 1e-3 },
  square_root: { family: "power", exponent: 0.5, floor: 1e-3 },
  log: { family: "logarithmic" },
  cosine: { family: "cosine_power", power: 1, eps: 1e-3, eps_at: "clean" },
};

/**
 * Training's weight of a step, -(dm/dt) / m with the slope of m without its floor; upstream adds eps to the cosine's m.
 * dlmc does not train: this only says that the schedules above are the ones that were trained with.
 */
function lossScalings(golden: GoldenCase): Computed[] {
  const slopes: Readonly<Record<string, (t: number) => number>> = {
    loglinear: () => 1,
    square: (t) => 2 * t,
    square_root: (t) => 0.5 / Math.sqrt(t),
    log: (t) => 1 / ((1 + t) * Math.LN2),
    cosine: (t) => (1 - 1e-3) * Math.sin((Math.PI * t) / 2) * (Math.PI / 2),
  };
  return Object.entries(slopes)
    .filter(([name]) => hasTensor(golden, `sched.${name}.loss_scaling`))
    .map(([name, slope]) => {
      const schedule = resolveSchedule(schedules[name]!);
      const moved = (t: number): number =>
        schedule.kind === "continuous" ? schedule.at(t).sigma2 + (name === "cosine" ? 1e-3 : 0) : Number.NaN;
      const reference = Array.from(tensorOf(golden, "sched.t").data, (t) => -slope(t) / moved(t));
      return { name: `sched.${name}.loss_scaling`, table: true, reference };
    });
}

/** out.mask_<n>_<block>: 2n queries and keys, the noised half first. */
function masks(golden: GoldenCase): Computed[] {
  const listed = golden.options.get("masks");
  return (Array.isArray(listed) ? listed : [])
    .map(objectOf)
    .map(({ seqlen, block }) => blockDiffusionMask(Number(seqlen), Number(block)))
    .filter(({ name }) => hasTensor(golden, name));
}

/**
 * Block diffusion as it is trained (Arriola et al. 2025, section 4.2): noised positions see the noised ones of their own
 * block and the clean ones of earlier blocks; clean positions see clean ones of their own and earlier blocks.
 */
function blockDiffusionMask(n: number, block: number): Computed {
  const blockOf = (at: number): number => Math.floor((at % n) / block);
  const noised = (at: number): boolean => at < n;
  const allowed = (q: number, k: number): boolean => {
    if (noised(q)) return noised(k) ? blockOf(q) === blockOf(k) : blockOf(k) < blockOf(q);
    return !noised(k) && blockOf(k) <= blockOf(q);
  };
  const entries = Array.from({ length: 4 * n * n }, (_, at) =>
    allowed(Math.floor(at / (2 * n)), at % (2 * n)) ? 1 : 0,
  );
  return { name: `out.mask_${n}_${block}`, reference: entries, exact: true };
}
