// Noise that masks some tokens earlier than others. m is the noise 1 - alpha_bar of the schedule, m_v the chance that token
// v is masked:
//   exponents   m_v = (1 - eps) m^(w_v)                          (Shi et al. 2024, GenMD4: m = t, w learned)
//   spindle     m_v = m + scale sin(pi m) d_v, within 0 and 1    (He et al. 2022, DiffusionBERT, section 4.2)
//               d_v = H_v - mean, or 1 - mean / H_v; H_v the information of v, mean that of the text
// Tokens with much information are masked first. The text's mean is taken of the tokens that the network holds for it.

import { fail } from "../../support/diagnostic.js";
import type { NoiseMaps, TokenLevel } from "./token-process.js";

/** `state_space.token_schedule` of a description. */
export type TokenScheduleDescription =
  | {
      readonly kind: "exponents";
      /** Of every token but the mask, in order. */
      readonly exponents?: readonly number[];
      readonly positive?: "none" | "softplus";
      readonly eps?: number;
    }
  | {
      readonly kind: "spindle";
      /** Of every token; the mask's is not read. */
      readonly information?: readonly number[];
      readonly scale: number;
      readonly deviation?: "difference" | "ratio";
    };

/** A schedule per token, with a number for every token of the vocabulary. */
export type TokenSchedule =
  | { readonly kind: "exponents"; readonly exponents: readonly number[]; readonly eps: number }
  | {
      readonly kind: "spindle";
      readonly information: readonly number[];
      readonly scale: number;
      readonly deviation: "difference" | "ratio";
    };

/**
 * A description's schedule with its numbers in place; evenly spread ones where they would come with weights that are
 * synthetic. Throws `model/token-schedule` for another number of tokens, or exponents that are not positive.
 */
export function bindTokenSchedule(
  described: TokenScheduleDescription,
  vocabulary: number,
  mask: number,
): TokenSchedule {
  const spread = (count: number): number[] =>
    Array.from({ length: count }, (_, v) => 0.5 + v / Math.max(1, count - 1));
  if (described.kind === "spindle") {
    const { information = spread(vocabulary), scale, deviation = "difference" } = described;
    return {
      kind: "spindle",
      information: counted(information, vocabulary, "information"),
      scale,
      deviation,
    };
  }
  const { exponents = spread(vocabulary - 1), positive = "none", eps = 0 } = described;
  const bound = counted(exponents, vocabulary - 1, "exponents").map((w) =>
    positive === "softplus" ? Math.max(w, 0) + Math.log1p(Math.exp(-Math.abs(w))) : w,
  );
  if (bound.some((w) => !(w > 0)))
    fail("model/token-schedule", "an exponent is not positive: its token would be noise from the start", {
      pointer: "/state_space/token_schedule/exponents",
      help: 'use "positive": "softplus" where the tensor holds numbers of any sign',
    });
  return { kind: "exponents", exponents: [...bound.slice(0, mask), 1, ...bound.slice(mask)], eps };
}

function counted(values: readonly number[], count: number, field: string): readonly number[] {
  if (values.length !== count)
    fail("model/token-schedule", `${field} has ${values.length} numbers, not ${count}`, {
      pointer: `/state_space/token_schedule/${field}`,
      help:
        field === "exponents"
          ? "one for every token but the mask"
          : "one for every token; the mask's is not read",
    });
  return values;
}

/** The chance that token v is masked at a level. */
function maskChance(
  schedule: TokenSchedule,
  { alphaBar, sigma2, information }: TokenLevel,
  v: number,
): number {
  if (schedule.kind === "exponents") return (1 - schedule.eps) * sigma2 ** schedule.exponents[v]!;
  const own = schedule.information[v]!;
  const mean = information ?? own;
  const deviation = schedule.deviation === "ratio" ? 1 - mean / own : own - mean;
  // sin(pi m) from the smaller side: it is as small at the noisy end as at the clean one.
  const moved = schedule.scale * Math.sin(Math.PI * Math.min(sigma2, alphaBar)) * deviation;
  return Math.min(1, Math.max(0, sigma2 + moved));
}

/** What the noise does: with m_v at t and s, a token v is masked between them with the chance (m_t - m_s) / (1 - m_s). */
export function tokenMaps(schedule: TokenSchedule, mask: number): NoiseMaps {
  const masking = (level: TokenLevel, v: number): number => (v === mask ? 1 : maskChance(schedule, level, v));
  /** Chances to become x, of tokens that are masked with these. */
  const towards = (x: number, masked: (v: number) => number, out: Float64Array): Float64Array => {
    for (let v = 0; v < out.length; v++) out[v] = x === mask ? masked(v) : v === x ? 1 - masked(v) : 0;
    return out;
  };
  return {
    likelihoods: (level, x, out) => towards(x, (u) => masking(level, u), out),
    noised(level, w, out) {
      let sum = 0;
      for (let v = 0; v < out.length; v++) {
        const masked = masking(level, v);
        out[v] = w[v]! * (1 - masked);
        sum += w[v]! * masked;
      }
      out[mask] = sum;
      return out;
    },
    transitions(from, to, x, out) {
      const between = (v: number): number => {
        const [noisier, cleaner] = [masking(from, v), masking(to, v)];
        return cleaner === 1 ? 1 : Math.max(0, (noisier - cleaner) / (1 - cleaner));
      };
      return towards(x, between, out);
    },
  };
}
