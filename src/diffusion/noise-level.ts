// One point of a Gaussian noise process, x_t = alpha x_0 + sigma e, held in the three forms that the
// formulas need. Keeping all three avoids every cancellation: 1 - alphaBar is lost in float64 near the
// clean end, alphaBar near the noisy end, and gamma is exact where a schedule is given by its log SNR.

/** Signal and noise power of one noise level; alphaBar + sigma2 = 1 (variance preserving). */
export interface NoiseLevel {
  /** Signal power alpha^2, written alpha-bar in DDPM. */
  readonly alphaBar: number;
  /** Noise power sigma^2 = 1 - alphaBar, computed without the subtraction where a family can. */
  readonly sigma2: number;
  /** gamma = -log SNR = ln(sigma2 / alphaBar); -Infinity at the clean end. */
  readonly gamma: number;
}

/** The end of every sampler: no noise left. */
export const clean: NoiseLevel = { alphaBar: 1, sigma2: 0, gamma: Number.NEGATIVE_INFINITY };

/** 1 / (1 + exp(-x)) without overflow and with full relative precision on both sides. */
export function sigmoid(x: number): number {
  if (x >= 0) return 1 / (1 + Math.exp(-x));
  const e = Math.exp(x);
  return e / (1 + e);
}

/** alphaBar = sigmoid(-gamma), sigma2 = sigmoid(gamma) (Kingma et al. 2021, "Variational Diffusion Models"). */
export function levelFromGamma(gamma: number): NoiseLevel {
  return { alphaBar: sigmoid(-gamma), sigma2: sigmoid(gamma), gamma };
}

/** The variance-exploding level of the same log SNR: alpha = 1, sigma^2 = exp(gamma) (Song et al. 2021). */
export function exploding(gamma: number): NoiseLevel {
  return { alphaBar: 1, sigma2: Math.exp(gamma), gamma };
}

/** A level from its two powers, which must sum to one. */
export function levelFromPowers(alphaBar: number, sigma2: number): NoiseLevel {
  return { alphaBar, sigma2, gamma: Math.log(sigma2) - Math.log(alphaBar) };
}

/** The level of a total noise: 1 - e^-s without the subtraction. */
export function levelFromTotalNoise(s: number): NoiseLevel {
  return levelFromPowers(Math.exp(-s), -Math.expm1(-s));
}

/** Part of the power that is signal: alpha_bar where the process preserves variance. */
export function signalPart({ alphaBar, sigma2 }: NoiseLevel): number {
  return alphaBar / (alphaBar + sigma2);
}

/** alpha / sigma^2: the weight of <x, e_v> in log p(x | token v) when all rows e_v have one norm. */
export function priorScale(level: NoiseLevel): number {
  return Math.sqrt(level.alphaBar) / level.sigma2;
}

/** -ln alpha_bar, the total noise of discrete processes, without cancellation at either end. */
export function totalNoise({ alphaBar, sigma2 }: NoiseLevel): number {
  return sigma2 < 0.5 ? -Math.log1p(-sigma2) : -Math.log(alphaBar);
}
