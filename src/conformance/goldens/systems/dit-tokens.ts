// What the systems that run a DDiT on tokens record of it: one call, and the clean probabilities of any call.

import type { LoadedModel } from "../../../api/load.js";
import { planOfModel } from "../../../api/sampler-source.js";
import { readingOf } from "../../../diffusion/discrete/reading.js";
import { isTokenPlan, type TokenPlan } from "../../../diffusion/index.js";
import { levelFromTotalNoise } from "../../../diffusion/noise-level.js";
import { tensor } from "../../../ir/tensor.js";
import { bug } from "../../../support/diagnostic.js";
import { floats, openGraph } from "../backends.js";
import type { Computed } from "../compare.js";
import { mapEach } from "../each.js";
import { countWeights, type GoldenCase, hasTensor, tensorOf } from "../golden-case.js";
import { probesOf } from "../probes.js";

/** Logits, blocks and clean probabilities of in.tokens at in.sigma. */
export async function network(golden: GoldenCase, model: LoadedModel, work: string): Promise<Computed[]> {
  if (!hasTensor(golden, "in.tokens")) return [];
  const tokens = tensorOf(golden, "in.tokens");
  const sigma = tensorOf(golden, "in.sigma").data;
  const rows = tokens.shape[0]!;
  const probes = probesOf(model.module, "denoise");
  const blocks = countWeights(golden, "blocks.", ".attn_qkv.weight");
  const graph = await openGraph(
    model,
    "denoise",
    {
      // Upstream's module ends before the last SiLU.
      "mid.sigma_map": probes.reading("time.mlp.1.weight"),
      "mid.output_layer": probes.reading("head.weight"),
      ...Object.fromEntries(
        Array.from({ length: blocks }, (_, i) => [`mid.blocks.${i}`, probes.hinted("residual", 2 * i + 1)]),
      ),
    },
    work,
  );
  const level = Float64Array.from({ length: rows }, (_, row) => sigma[sigma.length === 1 ? 0 : row]!);
  const outputs = await graph.run({
    tokens: tensor("i32", tokens.shape, Float64Array.from(tokens.data)),
    level: floats([rows], level),
  });
  await graph.dispose();
  const plan = tokenPlan(model);
  const named = [
    "mid.sigma_map",
    "mid.output_layer",
    ...Array.from({ length: blocks }, (_, i) => `mid.blocks.${i}`),
  ];
  const results: Computed[] = [
    { name: "out", ...mapEach(outputs, (values) => values.logits!) },
    {
      name: "out.p_x0",
      ...mapEach(outputs, ({ logits }) => probabilities(plan, logits!, Int32Array.from(tokens.data))),
    },
    ...named.map((name) => ({ name, ...mapEach(outputs, (values) => values[name]!) })),
  ];
  return results.filter(({ name }) => hasTensor(golden, name));
}

/** What the network holds for the clean token of every position, as the plan's prediction reads logits. */
export function probabilities(plan: TokenPlan, logits: ArrayLike<number>, tokens: Int32Array): Float64Array {
  const n = plan.process.vocabulary;
  const reading = readingOf(plan.process, plan.prediction);
  const out = new Float64Array(tokens.length * n);
  for (const [at, token] of tokens.entries())
    reading.own(
      Array.from({ length: n }, (_, v) => logits[at * n + v]!),
      token,
      levelFromTotalNoise(1),
      out.subarray(at * n, (at + 1) * n),
    );
  return out;
}

/** The plan of a discrete model. */
export function tokenPlan(model: LoadedModel): TokenPlan {
  const plan = planOfModel(model);
  return isTokenPlan(plan) ? plan : bug("a discrete model has no plan of tokens");
}
