// Diffusion-LM's words for schedules and step counts, as a description says them.

import { fail } from "../../../support/diagnostic.js";
import { type GoldenCase, numberOption } from "../golden-case.js";

/** T. */
export function trainSteps(golden: GoldenCase): number {
  return numberOption(golden, "T", "diffusion_steps", "num_train_steps") ?? 2000;
}

/** `noise_schedule` of upstream's name. Throws `goldens/schedule` for one that dlmc does not have. */
export function noiseSchedule(name: string, steps: number): Record<string, unknown> {
  const ratio = { discretization: { kind: "ratio_beta", num_train_steps: steps } };
  const given = { discretization: { kind: "given_beta", num_train_steps: steps } };
  switch (name) {
    case "sqrt":
      return { family: "sqrt", ...ratio };
    case "cosine":
      return { family: "cosine", ...ratio };
    case "linear":
      return { family: "linear", ...given };
    case "trunc_lin":
      return { family: "linear", offset: 0.01, ...given };
    case "pw_lin":
      return { family: "piecewise_linear", ...given };
    case "trunc_cos":
      return {
        family: "cosine",
        offset: 0.1,
        discretization: { kind: "left_edge", relative: false, num_train_steps: steps },
      };
    default:
      return fail("goldens/schedule", `the noise schedule ${name} of Diffusion-LM is not covered`);
  }
}

/** `timesteps` of upstream's respacing text: "10", "10,15,25", "ddim50", a number, a list, or nothing for all. */
export function timesteps(spacing: unknown, steps: number): Record<string, unknown> {
  const text = Array.isArray(spacing) ? spacing.join(",") : String(spacing ?? "");
  const stride = /^ddim(\d+)$/.exec(text);
  if (stride) return { kind: "ddim_stride", num_steps: Number(stride[1]) };
  const sections = text.split(",").map(Number);
  return text === "" ? { kind: "spaced", sections: steps } : { kind: "spaced", sections };
}

/** `time_conditioning.input` and its scale: the trained index, times 1000 / T where steps are rescaled. */
export function timeInput(rescaled: boolean, steps: number): Record<string, unknown> {
  return rescaled ? { input: "t_scaled", scale: 1000 / steps } : { input: "t_index" };
}

/** `rounding_head.clamp` of upstream's switch, which a case may also spell as a word. */
export function clampOf(value: unknown): "nearest_embedding" | "none" {
  const off =
    value === undefined ||
    value === null ||
    value === false ||
    /^(no|none|no_clamp|false)$/i.test(String(value));
  return off ? "none" : "nearest_embedding";
}
