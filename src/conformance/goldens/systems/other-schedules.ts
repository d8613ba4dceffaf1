// Noise schedules of systems of which only that part runs by itself: Difformer, TESS, LD4LG, CDCD and D3PM. Trained tables
// <name>.<column>, functions of time sched.<name>.<column> at sched.t.

import { type DiscreteSchedule, resolveSchedule } from "../../../diffusion/index.js";
import { totalNoise } from "../../../diffusion/noise-level.js";
import type { NoiseScheduleDescription } from "../../../diffusion/resolve.js";
import type { Computed } from "../compare.js";
import { type GoldenCase, hasTensor, numberOption, resultNames, tensorOf } from "../golden-case.js";
import { tableColumns } from "./diffusion-lm-schedule.js";
import { type GoldenSystem, isNamed } from "./system.js";

/** A family's constants are further keys. */
type Schedule = NoiseScheduleDescription & Readonly<Record<string, unknown>>;

/** A system's schedules by upstream's names. */
type Named = (golden: GoldenCase) => Readonly<Record<string, Schedule>>;

const steps = (golden: GoldenCase, otherwise: number): number =>
  numberOption(golden, "T", "num_train_timesteps", "num_diffusion_timesteps", "num_timesteps") ?? otherwise;

/** difformer/utils.py: formulas with a noise factor, cut into steps by the ratio of neighbours. */
const difformer: Named = (golden) => {
  const factor = numberOption(golden, "rescale_factor", "rescaling_factor") ?? 1;
  const discretization = { kind: "ratio_beta", num_train_steps: steps(golden, 2000) } as const;
  const family = (name: string, constants: object = {}): Schedule => ({
    family: name,
    ...constants,
    discretization,
    ...(factor !== 1 && { log_snr_shift: -2 * Math.log(factor) }),
  });
  return {
    linear: family("vp_linear", { beta_min: 0.1, beta_max: 20 }),
    cosine: family("cosine"),
    sqrt: family("sqrt"),
    edm: family("karras", { sigma_min: 0.002, sigma_max: 80, rho: 7 }),
    cdcd: family("karras", { sigma_min: 1, sigma_max: 300, rho: 7 }),
  };
};

/** sdlm/schedulers/scheduling_simplex_ddpm.py. */
const tess: Named = (golden) => {
  const betas = {
    beta_start: numberOption(golden, "beta_start") ?? 1e-4,
    beta_end: numberOption(golden, "beta_end") ?? 0.02,
    discretization: { kind: "given_beta", num_train_steps: steps(golden, 1000) } as const,
  };
  const of = (kind: "ratio_beta" | "left_edge"): Schedule => ({
    family: "cosine",
    offset: 1e-4,
    discretization: { kind, num_train_steps: steps(golden, 1000) },
  });
  return {
    linear: { family: "linear", rescale: false, ...betas },
    scaled_linear: { family: "scaled_linear", ...betas },
    sigmoid: { family: "sigmoid_beta", ...betas },
    squaredcos_cap_v2: of("ratio_beta"),
    squaredcos_improved_ddpm: of("left_edge"),
  };
};

/** diffusion/text_denoising_diffusion.py: functions of time, the log SNR clipped and moved by the scale. */
const ld4lg: Named = (golden) => {
  const moved = {
    log_snr_clip: [-15, 15],
    log_snr_shift: 2 * Math.log(numberOption(golden, "scale") ?? 1),
  };
  return {
    simple_linear: { family: "log_linear", eps: 0, ...moved },
    beta_linear: {
      family: "vp_linear",
      beta_min: 0,
      beta_max: 20,
      floor: 1e-4,
      ...moved,
    },
    cosine: { family: "cosine_rescaled", ...moved },
    sigmoid: { family: "sigmoid", ...moved },
  };
};

/** d3pm/images/diffusion_categorical.py. */
const d3pm: Named = (golden) => {
  const given = { kind: "given_beta", num_train_steps: steps(golden, 1000) } as const;
  const [start, stop] = [
    numberOption(golden, "start", "beta_start") ?? 1e-4,
    numberOption(golden, "stop", "beta_end") ?? 0.02,
  ];
  return {
    linear: {
      family: "linear",
      rescale: false,
      beta_start: start,
      beta_end: stop,
      discretization: given,
    },
    cosine: {
      family: "cosine",
      power: 1,
      discretization: { kind: "ratio_beta", num_train_steps: steps(golden, 1000) },
    },
    jsd: { family: "inverse_remaining", discretization: given },
  };
};

const systems: Readonly<Record<string, Named>> = { difformer, tess, ld4lg, d3pm };

function namedOf(golden: GoldenCase): Named | undefined {
  return Object.entries(systems).find(([name]) => isNamed(golden, name))?.[1];
}

export const otherSchedules: GoldenSystem = {
  name: "Noise schedules",
  covers: (golden) => golden.weights === undefined && namedOf(golden) !== undefined,
  compute: async (golden) => resultNames(golden).flatMap((name) => column(golden, name) ?? []),
};

/** One column of one schedule: a table's, or of a function of time. */
function column(golden: GoldenCase, name: string): Computed | undefined {
  const [, schedule, written] = /^(?:sched\.)?(\w+)\.(\w+)$/.exec(name) ?? [];
  const description =
    schedule === undefined ? undefined : namedOf(golden)!(golden)[schedule.replace(/_schedule$/, "")];
  if (description === undefined || written === undefined) return undefined;
  const resolved = resolveSchedule(description);
  if (resolved.kind === "discrete") return tabulated(golden, name, written, resolved);
  if (!hasTensor(golden, "sched.t")) return undefined;
  const levels = Array.from(tensorOf(golden, "sched.t").data, (t) => resolved.at(t));
  const of: Readonly<Record<string, (level: (typeof levels)[number]) => number>> = {
    // Upstream calls the signal's power alpha.
    alpha: ({ alphaBar }) => alphaBar,
    alpha_bar: ({ alphaBar }) => alphaBar,
    alpha2: ({ alphaBar }) => alphaBar,
    sigma2: ({ sigma2 }) => sigma2,
    gamma: ({ gamma }) => gamma,
    log_snr: ({ gamma }) => -gamma,
    total: totalNoise,
  };
  const value = of[written];
  return value === undefined ? undefined : { name, reference: levels.map(value) };
}

function tabulated(
  golden: GoldenCase,
  name: string,
  written: string,
  table: DiscreteSchedule,
): Computed | undefined {
  const values = tableColumns[written.replace(/_at$/, "")]?.(table);
  if (values === undefined) return undefined;
  const reference = written.endsWith("_at")
    ? Array.from(tensorOf(golden, "table_index").data, (at) => values[at]!)
    : values;
  return { name, reference };
}
