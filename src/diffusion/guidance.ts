// Classifier-free guidance (Ho and Salimans 2022) as numbers: l is what the network answers with what is given, u without.

/** What stands for nothing at given positions (schema: sampler.guidance.empty). */
export interface EmptyTokens {
  readonly token: number;
  readonly first?: number;
  readonly last?: number;
  /** Where they stand: at given positions (default), or everywhere. */
  readonly positions?: "given" | "all";
}

/** `sampler.guidance` of a description. */
export interface GuidanceDescription {
  readonly scale: number;
  readonly form?: "difference" | "mix";
  /**
   * What l and u are: the network's outputs (default), the logarithms of the weights that a step makes of them, or their
   * probabilities.
   */
  readonly of?: "prediction" | "step" | "probabilities";
  /** What self-conditioning sees: the guided answer (default), or l. */
  readonly fed_back?: "guided" | "conditional";
  readonly empty?: EmptyTokens;
}

/** The guided answer: difference u + (w + 1) (l - u), mix w l + (1 - w) u. */
export function combination({ scale: w, form = "difference" }: GuidanceDescription) {
  return form === "difference"
    ? (l: number, u: number): number => u + (w + 1) * (l - u)
    : (l: number, u: number): number => w * l + (1 - w) * u;
}

/** The empty tokens of a text of this length. */
export function emptyText({ token, first = token, last = token }: EmptyTokens, length: number): Int32Array {
  const text = new Int32Array(length).fill(token);
  text[length - 1] = last;
  text[0] = first;
  return text;
}
