// The resolved description: what every later stage reads. Field names are those of model.json, every default
// is filled in, and JSON pointers into it are pointers into the user's file.

import type { ResolvedFile } from "./generated/model.js";

export type * from "./generated/model.js";

type With<K extends keyof ResolvedFile> = { readonly [P in K]-?: NonNullable<ResolvedFile[P]> };
type Part<P extends ResolvedFile["part"]> = { readonly part: P } & With<"version" | "name" | "weights">;

/** A whole model. */
export type ModelDescription = Part<"model"> &
  With<
    | "state_space"
    | "embedding"
    | "noise_schedule"
    | "timesteps"
    | "time_conditioning"
    | "prediction_type"
    | "self_conditioning"
    | "blocks"
    | "rounding_head"
    | "sampler"
    | "conditioning"
  > & { readonly decoder?: NonNullable<ResolvedFile["decoder"]> };

/** One mixer alone: f32[B, seq_len, width] -> f32[B, seq_len, width]. */
export type MixerDescription = Part<"mixer"> & With<"width" | "seq_len" | "mixer">;

/** One block alone; it takes a noise level when time_conditioning is ada_ln. */
export type BlockDescription = Part<"block"> & With<"width" | "seq_len" | "block" | "time_conditioning">;

/** A noise schedule and, if it is to be sampled, its grid: tables only. */
export type NoiseScheduleDescription = Part<"noise_schedule"> &
  With<"noise_schedule"> & { readonly timesteps?: NonNullable<ResolvedFile["timesteps"]> };

/** A sampler around a network that is given from outside. */
export type SamplerDescription = Part<"sampler"> &
  With<
    | "state_space"
    | "embedding"
    | "noise_schedule"
    | "timesteps"
    | "time_conditioning"
    | "prediction_type"
    | "rounding_head"
    | "sampler"
    | "conditioning"
  >;

/** A validated, resolved description; `part` tells which. */
export type Description =
  | ModelDescription
  | MixerDescription
  | BlockDescription
  | NoiseScheduleDescription
  | SamplerDescription;
