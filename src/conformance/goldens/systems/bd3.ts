// BD3-LM: move-chance schedules, sampling of blocks, and the attention mask of block diffusion over noised and clean positions.

import { resolveSchedule } from "../../../diffusion/index.js";
import type { Computed } from "../compare.js";
import { type GoldenCase, hasTensor, objectOf, tensorOf, weightShape } from "../golden-case.js";
import { bd3Runs } from "./bd3-decode.js";
import { bd3Schedules } from "./bd3-schedules.js";
import { scheduleTables } from "./discrete-schedule.js";
import { type GoldenSystem, isNamed } from "./system.js";

export const bd3: GoldenSystem = {
  name: "BD3-LM",
  covers: (golden) => isNamed(golden, "bd3"),
  compute: async (golden) => [
    ...scheduleTables(golden, bd3Schedules),
    ...lossScalings(golden),
    ...masks(golden),
    ...(weightShape(golden, "stub.E") === undefined ? [] : await bd3Runs(golden)),
  ],
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
      const schedule = resolveSchedule(bd3Schedules[name]!);
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
