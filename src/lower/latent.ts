// Latents of an autoencoder: their norm, the way back from what the diffusion acts on, z = scale x + mean, and what a
// decoder makes of them.

import type { ModelDescription, SamplerDescription } from "../description/description.js";
import type { Graph, Value } from "../ir/graph.js";
import type { GraphContext, Lowering, Scope } from "./context.js";
import { lowerDecoder } from "./decoder.js";
import { tokensOf } from "./heads.js";
import { lastExtent } from "./layers.js";

const scope: Scope = { name: "latent.", pointer: "/state_space/standardization" };

/** A predicted x0 of the norm that latents have; x0 itself where they have none, and of another state. */
export function normalizedLatents(
  c: GraphContext,
  { state_space: state }: ModelDescription | SamplerDescription,
  x0: Value,
): Value {
  if (state.kind !== "latent" || state.normalization === "none") return x0;
  const scale = Math.sqrt(lastExtent(x0));
  return c.b.at("/state_space/normalization", () =>
    c.b.emit("l2_normalize", { x: x0 }, { scale }, "x0_normalized"),
  );
}

/** @decode(x) -> latents, logits?, tokens?: the final state as a decoder takes it, and what the described one makes of it. */
export function decodeLatents(lowering: Lowering, description: ModelDescription): Graph {
  const c = lowering.graph("decode");
  const x = c.b.input("x", lowering.activation(description.embedding.dim));
  const latents = autoencoderLatents(c, description, x);
  if (description.decoder === undefined) return c.finish({ latents });
  const logits = lowerDecoder(c, description, description.decoder, latents);
  return c.finish({ latents, logits, tokens: tokensOf(c, logits) });
}

/** z = scale x + mean. */
function autoencoderLatents(c: GraphContext, { state_space: state }: ModelDescription, x: Value): Value {
  if (state.kind !== "latent") return x;
  const { mean, scale } = state.standardization;
  const statistic = (name: "mean" | "scale", of: "scalar" | "channel"): Value =>
    c.parameter(scope, name, [of === "scalar" ? 1 : lastExtent(x)], name === "mean" ? "bias" : "norm");
  return c.b.at(scope.pointer, () => {
    const scaled =
      scale === "none" ? x : c.b.emit("mul", { a: x, b: statistic("scale", scale) }, {}, "scaled");
    return mean === "none"
      ? scaled
      : c.b.emit("add", { a: scaled, b: statistic("mean", mean) }, {}, "latents");
  });
}
