// Noise on tokens. With the total noise s = -ln alpha_bar and n tokens:
//   absorbing   q(x_t | x_0) = e^-s x_0 + (1 - e^-s) mask
//   uniform     q(x_t | x_0) = e^-s x_0 + (1 - e^-s) / n

/** What noise does to a token. */
export type TokenProcess =
  | { readonly kind: "absorbing"; readonly vocabulary: number; readonly mask: number }
  | { readonly kind: "uniform"; readonly vocabulary: number };

/** Whether the token is noise for certain: the mask. */
export function isMasked(process: TokenProcess, token: number): boolean {
  return process.kind === "absorbing" && token === process.mask;
}
