// Which sampling loop a bundle's index.js has: it carries what its model uses.

import type { Json } from "../bundle/manifest.js";
import type { LoopKind } from "./files.js";

/** Which sampling loop the model needs: what @denoise takes is the state, and of a discrete one the sampler says how they are chosen. */
export function loopOf(
  graphs: readonly { readonly name: string; readonly inputs: readonly { readonly name: string }[] }[],
  facts: Readonly<Record<string, Json>>,
): LoopKind {
  const attends = graphs.some(({ inputs }) => inputs.some(({ name }) => name === "encoder"));
  const denoise = graphs.find(({ name }) => name === "denoise");
  const takes = (wanted: string): boolean => denoise?.inputs.some(({ name }) => name === wanted) ?? false;
  if (takes("simplex")) return attends ? "simplex-encoder" : "simplex";
  if (!takes("tokens")) return attends ? "encoder" : "continuous";
  const parts = facts.sampler as
    | { readonly sampler?: { readonly kind?: string; readonly self_correction?: object } }
    | undefined;
  const decoders = {
    confidence: "confidence",
    first_hitting: "first-hitting",
    tau_leaping: "scores",
    analytic: "scores",
  } as const;
  const drawn = parts?.sampler?.self_correction === undefined ? "tokens" : "revised";
  const kind = decoders[parts?.sampler?.kind as keyof typeof decoders] ?? drawn;
  if (attends) return `${kind}-encoder`;
  return graphs.some(({ name }) => name === "block") ? `${kind}-cached` : kind;
}
