// The network: noisy embeddings and a noise level to predicted clean embeddings and logits.

import {
  type Description,
  type Embedding,
  listBlocks,
  type ModelDescription,
  type OptionalNorm,
  vocabularySize,
} from "../description/index.js";
import { type Dim, dim } from "../ir/dim.js";
import type { Value } from "../ir/graph.js";
import { bug } from "../support/diagnostic.js";
import { lowerBlocks } from "./block.js";
import { type Label, withClass } from "./class-label.js";
import { child, type GraphContext, type Scope } from "./context.js";
import type { Encoded } from "./encoder.js";
import { lowerHead, readsTrunk } from "./heads.js";
import { lastExtent, linearLayers, normalize } from "./layers.js";
import { addPositions } from "./positions.js";
import { lowerPrefix, withoutPrefix } from "./prefix.js";
import { selfCondition } from "./self-condition.js";
import { lowerTable } from "./tables.js";
import { alongPositions, lowerTime, modulate, modulations, type Time } from "./time.js";

const root: Scope = { name: "", pointer: "" };

export interface NetworkInputs {
  /** Noisy state, f32[B, L, d]. */
  readonly x: Value;
  /** What the time features take, f32[K], K the batch or 1; f32[K, L] where positions are told numbers of their own. */
  readonly level: Value | undefined;
  /** alpha / sigma^2, f32[K] or f32[K, L], with prior_skip. */
  readonly priorScale: Value | undefined;
  /** Factors of the level, f32[K] or f32[K, L], where the description has them: see src/diffusion/network-scales.ts. */
  readonly scales: { readonly [name in "c_in" | "c_skip" | "c_out"]?: Value };
  /** The previous prediction, f32[B, L, d], with self-conditioning. */
  readonly previous: Value | undefined;
  /** The encoder that blocks attend to. */
  readonly encoded: Encoded | undefined;
  /** The class of each text. */
  readonly label: Label | undefined;
}

/** What the network predicts: x0 f32[B, L, d], logits f32[B, L, V] but of latents. */
export interface Prediction {
  readonly x0: Value;
  readonly logits: Value | undefined;
}

/** The descriptions that have an embedding table. */
export type WithTable = Extract<Description, { readonly part: "model" | "sampler" }>;

/** The embedding table as stored, [vocab_size, dim]. */
export function storedTable(c: GraphContext, description: WithTable): Value {
  return lowerTable(c, description.embedding, vocabularySize(description));
}

/** The embedding table as used: rows normalised and scaled as the description says. */
export function embeddingTable(c: GraphContext, description: WithTable): Value {
  const { normalization, scale, dim: width } = description.embedding;
  const table = storedTable(c, description);
  if (normalization === "layer" || normalization === "layer_affine") {
    const affine = normalization === "layer" ? "none" : "weight_bias";
    const at: Scope = { name: "embedding.table_norm.", pointer: "/embedding/normalization" };
    const scaled = scale === 1 ? table : c.b.emit("scale", { x: table }, { factor: scale });
    return normalize(c, at, scaled, { kind: "layer", eps: 1e-5, affine }, "embeddings");
  }
  if (normalization !== "none") {
    const norm = scale * (normalization === "unit" ? 1 : Math.sqrt(width));
    return c.b.at("/embedding", () => c.b.emit("l2_normalize", { x: table }, { scale: norm }, "embeddings"));
  }
  if (scale === 1) return table;
  return c.b.at("/embedding/scale", () => c.b.emit("scale", { x: table }, { factor: scale }, "embeddings"));
}

/** Rows of the table as used. A stored table is scaled row by row, not copied. */
export function embedTokens(c: GraphContext, description: WithTable, tokens: Value): Value {
  const { normalization, scale } = description.embedding;
  const stored = normalization === "none" && scale !== 1;
  const table = stored ? storedTable(c, description) : embeddingTable(c, description);
  return c.b.at("/embedding", () => {
    if (!stored) return c.b.emit("take", { table, indices: tokens }, {}, "x");
    const rows = c.b.emit("take", { table, indices: tokens }, {});
    return c.b.emit("scale", { x: rows }, { factor: scale }, "x");
  });
}

/** The mean embedding under probabilities f32[B, n, V]. A stored table is scaled row by row, not copied. */
export function embedProbabilities(c: GraphContext, description: WithTable, probabilities: Value): Value {
  const { normalization, scale } = description.embedding;
  const stored = normalization === "none" && scale !== 1;
  const b = stored ? storedTable(c, description) : embeddingTable(c, description);
  const mean = c.b.emit("matmul", { a: probabilities, b }, {}, "mean_embedding");
  return stored ? c.b.emit("scale", { x: mean }, { factor: scale }) : mean;
}

/** The head's logits, capped where the description says so. */
export function lowerLogits(c: GraphContext, description: WithTable, input: Value): Value {
  const { logit_softcap: cap } = description.prediction_type;
  const head = description.rounding_head;
  if (head.kind === "none") return bug("logits are asked of a description without a rounding head");
  const logits = lowerHead(c, input, head, {
    vocabulary: vocabularySize(description),
    // Distances are between vectors as used, a tied matrix is the table as stored.
    table: () => (head.kind === "l2_nearest" ? embeddingTable(c, description) : storedTable(c, description)),
  });
  if (cap === 0) return logits;
  return c.b.at("/prediction_type/logit_softcap", () => {
    const bounded = c.b.emit("tanh", { x: c.b.emit("scale", { x: logits }, { factor: 1 / cap }) }, {});
    return c.b.emit("scale", { x: bounded }, { factor: cap }, "logits");
  });
}

/** `reading`: the call that only reads tokens from the trunk, with mode tokens on. */
export function lowerNetwork(
  c: GraphContext,
  description: ModelDescription,
  { x, level, priorScale, scales, previous, encoded, label }: NetworkInputs,
  reading = false,
): Prediction {
  const { prediction_type: prediction, rounding_head: head } = description;
  const { c_in, c_skip, c_out } = scales;
  const read = c_in === undefined ? x : c.b.at("/embedding", () => scaled(c, x, c_in, "x_scaled"));
  const { self_conditioning: self } = description;
  const inBlocks = self.at === "blocks" ? previous : undefined;
  const conditioned =
    previous === undefined || inBlocks !== undefined ? read : selfCondition(c, self, read, previous);
  const trunk = lowerTrunk(c, description, conditioned, { level, encoded, label, inBlocks }, reading);
  const output = lowerOutput(c, description, trunk);
  const out =
    c_skip === undefined || c_out === undefined
      ? output
      : c.b.at("/prediction_type/target", () =>
          c.b.emit("add", { a: scaled(c, x, c_skip), b: scaled(c, output, c_out) }, {}, "x0"),
        );
  if (description.state_space.kind === "latent") return { x0: out, logits: undefined };
  const own = lowerLogits(c, description, readsTrunk(head) ? trunk.h : out);
  if (prediction.x0_from === "direct") return { x0: out, logits: own };
  const embeddings = embeddingTable(c, description);
  const logits = priorScale === undefined ? own : priorSkip(c, own, x, embeddings, priorScale);
  return { x0: expectedEmbeddings(c, logits, embeddings), logits };
}

/** x0 = softmax(logits) E, f32[B, L, d], of logits f32[B, L, V]. */
export function expectedEmbeddings(c: GraphContext, logits: Value, embeddings: Value): Value {
  return c.b.at("/prediction_type", () =>
    c.b.emit(
      "matmul",
      { a: c.b.emit("softmax", { x: logits }, { axis: 2 }, "probabilities"), b: embeddings },
      {},
      "x0",
    ),
  );
}

/** The network of a discrete state: tokens i32[B, L] to logits f32[B, L, V]. */
export function lowerTokenNetwork(
  c: GraphContext,
  description: ModelDescription,
  tokens: Value,
  conditions: Conditions & Pick<NetworkInputs, "previous">,
): Value {
  const x = embedTokens(c, description, tokens);
  const { previous } = conditions;
  const read = previous === undefined ? x : selfCondition(c, description.self_conditioning, x, previous);
  return lowerTrunkLogits(c, description, read, conditions);
}

/** What networks that predict tokens share: embeddings f32[B, L, d] that enter the trunk to logits f32[B, L, V]. */
export function lowerTrunkLogits(
  c: GraphContext,
  description: ModelDescription,
  x: Value,
  conditions: Conditions,
): Value {
  const trunk = lowerTrunk(c, description, x, conditions, true);
  const head = description.rounding_head;
  const input = readsTrunk(head) ? trunk.h : lowerOutput(c, description, trunk);
  const logits = lowerLogits(c, description, input);
  const { length, sequence } = c.lowering;
  if (description.prediction_type.logit_shift === 0 || sequence === 1) return logits;
  const rows = (count: Dim): Value =>
    c.b.emit("slice", { x: logits }, { axis: 1, start: dim(0), length: count });
  return c.b.at("/prediction_type/logit_shift", () =>
    c.b.emit("concat", { xs: [rows(dim(1)), rows(length.minus(1))] }, { axis: 1 }, "shifted"),
  );
}

/** What the last block gives, f32[B, L, width]. */
interface Trunk {
  readonly h: Value;
  readonly time: Time;
}

/** What the trunk is told beside the state. */
interface Conditions extends Pick<NetworkInputs, "level" | "encoded" | "label"> {
  /** bool[B, L, 1]: positions that the vector of the level is not added to. */
  readonly untimed?: Value | undefined;
  /** The previous prediction, where blocks have layers of it. */
  readonly inBlocks?: Value | undefined;
}

/** in_proj, prefix tokens and blocks. */
function lowerTrunk(
  c: GraphContext,
  description: ModelDescription,
  x: Value,
  { level, encoded, label, untimed, inBlocks }: Conditions,
  reading: boolean,
): Trunk {
  const time = lowerTime(c, description.time_conditioning, level, label);
  const input = trunkInput(c, description.embedding, x, { time, untimed, label });
  const prefix = lowerPrefix(c, description.embedding.prefix, input, time, reading);
  const prefixed =
    prefix.length === 0 ? input : c.b.emit("concat", { xs: [...prefix, input] }, { axis: 1 }, "prefixed");
  const h = lowerBlocks(c, "", prefixed, listBlocks(description), {
    time,
    encoded,
    previous: inBlocks,
  });
  return { h: withoutPrefix(c, h, prefix), time };
}

/** Final norm and out_proj: what the description calls the output. */
function lowerOutput(c: GraphContext, description: ModelDescription, { h, time }: Trunk): Value {
  const { prediction_type: prediction } = description;
  const at: Scope = { name: "", pointer: "/prediction_type" };
  const normalized = finalNorm(c, at, h, prediction.final_norm, time);
  return linearLayers(c, child(at, "out_proj", "/out_proj"), normalized, prediction.out_proj);
}

/** h = norm(in_proj(x) + positions + time + class), without the time where `untimed` says so. */
function trunkInput(
  c: GraphContext,
  embedding: Embedding,
  x: Value,
  { time, untimed, label }: Pick<Conditions, "untimed" | "label"> & { readonly time: Time },
): Value {
  const scope: Scope = { name: "embedding.", pointer: "/embedding" };
  const { b } = c;
  return b.at(scope.pointer, () => {
    const entered = linearLayers(c, child(scope, "in_proj", "/in_proj"), x, embedding.in_proj);
    let h = addPositions(c, scope, entered, embedding.positions);
    if ("vector" in time && time.vector !== undefined) {
      const row = alongPositions(c, time.vector);
      const timed = b.emit("add", { a: h, b: row }, {});
      h = untimed === undefined ? timed : b.emit("where", { condition: untimed, a: h, b: timed }, {});
    }
    const conditioned = withClass(c, h, label, "positions");
    return normalize(c, child(scope, "norm", "/norm"), conditioned, embedding.norm);
  });
}

function finalNorm(c: GraphContext, at: Scope, h: Value, norm: OptionalNorm, time: Time): Value {
  const normalized = normalize(c, child(at, "final_norm", "/final_norm"), h, norm, "final_norm");
  if (time.kind !== "ada_ln" || !time.final) return normalized;
  const scope = child({ ...root, pointer: "/time_conditioning" }, "final_ada_ln");
  const chunks = time.chunks.filter((chunk) => chunk !== "gate");
  const [modulation] = modulations(c, scope, time, lastExtent(h), [{ suffix: "_final", chunks }]);
  return modulate(c, normalized, modulation!);
}

/** logits + (alpha / sigma^2) x E^T: the log posterior of a token given its noisy embedding alone (Plaid, LangFlow). */
function priorSkip(c: GraphContext, logits: Value, x: Value, embeddings: Value, priorScale: Value): Value {
  const { b } = c;
  return b.at("/prediction_type/prior_skip", () => {
    const similarity = b.emit("linear", { x, weight: embeddings }, {}, "similarity");
    return b.emit("add", { a: logits, b: scaled(c, similarity, priorScale) }, {}, "logits");
  });
}

/** x f32[B, L, d] times a factor f32[K] of each text, or f32[K, L] of each position. */
function scaled({ b }: GraphContext, x: Value, factor: Value, name?: string): Value {
  const { shape } = factor.type;
  const column = b.emit(
    "reshape",
    { x: factor },
    { shape: shape.length === 1 ? [shape[0]!, dim(1), dim(1)] : [...shape, dim(1)] },
  );
  return b.emit("mul", { a: x, b: column }, {}, name);
}
