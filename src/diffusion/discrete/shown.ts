// What dlmc inspect shows of a token process beside its signal and noise.

import { likelihoods } from "./noising.js";
import { maskOf, type TokenLevel, type TokenProcess } from "./token-process.js";

/** What is shown of a visited level; which members are there depends on the process. */
export interface ShownLevel {
  /** Of a hybrid state: the chances that noise made the token a mask, and a random one. */
  readonly masks?: number;
  readonly random?: number;
  /** Of a matrix state: the chance that a token is itself, the mean over tokens. */
  readonly kept?: number;
  /** Of a schedule per token, in a text of mean information: the chance that a token is itself, the least and the largest. */
  readonly least?: number;
  readonly most?: number;
}

/** What is shown of a visited level. */
export function shownLevel(process: TokenProcess, level: TokenLevel): ShownLevel {
  const { sigma2, random = 0 } = level;
  if (process.kind === "hybrid") return { masks: sigma2 * (1 - random), random: sigma2 * random };
  if (process.kind !== "matrix" && process.kind !== "per_token") return {};
  const mask = maskOf(process);
  const tokens = Array.from({ length: process.vocabulary }, (_, v) => v).filter((v) => v !== mask);
  const mean = (of: (v: number) => number): number =>
    tokens.reduce((sum, v) => sum + of(v), 0) / tokens.length;
  const out = new Float64Array(process.vocabulary);
  if (process.kind === "matrix") return { kept: mean((v) => likelihoods(process, level, v, out)[v]!) };
  const { information } = process;
  const text = { ...level, ...(information && { information: mean((v) => information[v]!) }) };
  const chances = tokens.map((v) => likelihoods(process, text, v, out)[v]!);
  return { least: chances.reduce((a, b) => Math.min(a, b)), most: chances.reduce((a, b) => Math.max(a, b)) };
}
