// Duo's grids of its psi-samplers (trainer_base.py): N + 1 times in three phases, and kappa at each. A description lists both.

/** What a run says of its grid, under upstream's names. */
export interface PsiGrid {
  /** linear, or linear-constant-linear-<c>: down to c, there for the middle phase, down to eps. With -inv, c is a signal. */
  readonly profile: string;
  /** Parts of the times that are in the first and in the second phase. */
  readonly fractions: readonly [high: number, middle: number];
  /** pure-posterior, pure-pc, constant-<kappa>, constant-remdm-<eta>, max-capped-<eta>, max-rescale-<eta> of each phase. */
  readonly modes: readonly string[];
  /** N. */
  readonly steps: number;
  /** The last time. */
  readonly eps: number;
  /** The noise schedule: loglinear or cosine. */
  readonly noise: string;
}

/** The N + 1 times. */
export function psiTimes({ profile, fractions, steps, eps, noise }: PsiGrid): number[] {
  const count = steps + 1;
  if (profile === "linear") return line(1, eps, count);
  const given = Number(profile.split("-")[3]);
  const c = profile.includes("inv") ? timeOfSignal(noise, given) : given;
  const [high, middle] = phases(fractions, count);
  return [...line(1, c, high), ...new Array<number>(middle).fill(c), ...line(c, eps, count - high - middle)];
}

/** kappa at each of N + 1 times with these signals; the last one is not used. */
export function psiKappas({ modes, fractions }: PsiGrid, signals: readonly number[]): number[] {
  const [high, middle] = phases(fractions, signals.length);
  const parts = [signals.slice(0, high), signals.slice(high, high + middle), signals.slice(high + middle)];
  return parts.flatMap((part, i) => kappasOf(modes[i]!, part));
}

/** kappa of one phase: where it follows the noise, the phase's last step is ancestral. */
function kappasOf(mode: string, signals: readonly number[]): number[] {
  const all = (kappa: number): number[] => signals.map(() => kappa);
  if (mode === "pure-posterior") return all(1);
  if (mode === "pure-pc") return all(0);
  const eta = Number(mode.slice(mode.lastIndexOf("-") + 1));
  if (mode.startsWith("constant-") && !mode.startsWith("constant-remdm")) return all(eta);
  const chance = (from: number, to: number): number => {
    if (mode.startsWith("constant-remdm")) return eta;
    const most = Math.min(eta, (1 - to) / from);
    if (mode.startsWith("max-capped-")) return from === 0 ? eta : most;
    return eta * (from > 0 ? most : 1);
  };
  return signals.map((from, i) => {
    const to = signals[i + 1];
    return to === undefined ? 1 : Math.min(1, Math.max(0, 1 - chance(from, to) / (1 - to)));
  });
}

/** Python's round: halves go to the even number. */
function rounded(x: number): number {
  const down = Math.floor(x);
  return x - down === 0.5 ? down + (down % 2) : Math.round(x);
}

function phases([high, middle]: PsiGrid["fractions"], count: number): readonly [number, number] {
  return [rounded(high * count), rounded(middle * count)];
}

function line(from: number, to: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) =>
    count === 1 ? from : from + ((to - from) * i) / (count - 1),
  );
}

/** Upstream's inverse of its schedules, without their eps. */
function timeOfSignal(noise: string, signal: number): number {
  return noise === "cosine" ? 1 - (2 / Math.PI) * Math.acos(1 - signal) : 1 - signal;
}
