// The graphs of a whole model: @embed, @denoise, @round or @decode, and @step, one sampler update around the network.

import { type ModelDescription, type SamplerDescription, vocabularySize } from "../description/index.js";
import { positionAxes } from "../description/positions.js";
import { Dim } from "../ir/dim.js";
import type { Graph, Value } from "../ir/graph.js";
import { type } from "../ir/type.js";
import { bug } from "../support/diagnostic.js";
import { classInput } from "./class-label.js";
import type { GraphContext, Lowering } from "./context.js";
import {
  embeddingTable,
  embedProbabilities,
  embedTokens,
  lowerLogits,
  lowerNetwork,
  lowerTokenNetwork,
  type NetworkInputs,
  type WithTable,
} from "./denoise.js";
import { encoderInput } from "./encoder.js";
import { guidanceOf, lowerGuided } from "./guidance.js";
import { clampOf, clampToEmbeddings, headReadsState, readsTrunk, tokensOf } from "./heads.js";
import { decodeLatents, normalizedLatents } from "./latent.js";
import { lastExtent } from "./layers.js";
import { conditionedRows, nullPrediction, unlessFirst } from "./self-condition.js";
import { denoiseSimplex } from "./simplex.js";

export function lowerModel(lowering: Lowering, description: ModelDescription): Graph[] {
  const { kind } = description.state_space;
  if (kind === "simplex") return [denoiseSimplex(lowering, description)];
  if (kind === "latent")
    return [
      denoise(lowering, description),
      step(lowering, description),
      decodeLatents(lowering, description),
    ];
  if (kind !== "continuous_embedding") return [denoiseTokens(lowering, description)];
  const graphs = [embed(lowering, description), denoise(lowering, description), step(lowering, description)];
  return headReadsState(description.rounding_head, description.prediction_type.x0_from)
    ? [...graphs, round(lowering, description)]
    : graphs;
}

/** @embed(tokens) -> x: the rows of the normalised table. */
function embed(lowering: Lowering, description: ModelDescription): Graph {
  const c = lowering.graph("embed");
  const tokens = c.b.input("tokens", type("i32", [lowering.batch, lowering.length]));
  return c.finish({
    x: embedTokens(c, description, tokens),
  });
}

/** @denoise(x, level, prior_scale?, self_cond?, encoder?, encoder_mask?, class?, fixed_mask?) -> x0, logits?; the mask with guidance. */
function denoise(lowering: Lowering, description: ModelDescription): Graph {
  const c = lowering.graph("denoise");
  const x = c.b.input("x", lowering.activation(description.embedding.dim));
  const network = networkInputs(c, description, lowering.batch);
  const told = description.conditioning.kind !== "none" && guidanceOf(description) !== undefined;
  const predicted = lowerGuided(c, description, { x, ...network }, told ? fixedPositions(c) : undefined);
  const { logits } = predicted;
  return c.finish({ x0: normalizedLatents(c, description, predicted.x0), ...(logits && { logits }) });
}

/**
 * @denoise(tokens, level?, self_cond_logits?, self_cond_mask?, self_cond_scale?, encoder?, encoder_mask?, class?) ->
 * logits, for discrete states: everything after the logits is the decoder's.
 */
function denoiseTokens(lowering: Lowering, description: ModelDescription): Graph {
  const c = lowering.graph("denoise");
  const tokens = c.b.input("tokens", type("i32", [lowering.batch, lowering.length]));
  const { injection } = description.time_conditioning;
  const level = injection === "none" ? undefined : c.b.input("level", type("f32", [lowering.batch]));
  const previous = previousPrediction(c, description);
  const encoded = encoderInput(c, description);
  const label = classInput(c, description);
  return c.finish({ logits: lowerTokenNetwork(c, description, tokens, { level, previous, encoded, label }) });
}

/** What the call before predicted of the conditioned positions, f32[B, n, d]: softmax(logits scale) E, the null in the first call. */
function previousPrediction(c: GraphContext, description: ModelDescription): Value | undefined {
  const { self_conditioning: self } = description;
  if (self.combine === "none") return undefined;
  const { b, lowering } = c;
  const given = b.input("self_cond_logits", lowering.activation(vocabularySize(description)));
  const mask = b.input("self_cond_mask", type("bool", [lowering.batch]));
  const perText = (x: Value): Value =>
    b.emit("reshape", { x }, { shape: [lowering.batch, Dim.of(1), Dim.of(1)] });
  const own = conditionedRows(c, self, given);
  return b.at("/self_conditioning", () => {
    const logits =
      self.temperature === "none"
        ? own
        : b.emit(
            "mul",
            { a: own, b: perText(b.input("self_cond_scale", type("f32", [lowering.batch]))) },
            {},
          );
    const probabilities = b.emit("softmax", { x: logits }, { axis: 2 }, "probabilities");
    return unlessFirst(c, self, embedProbabilities(c, description, probabilities), mask);
  });
}

/** The inputs beside x that this network takes, in the order of the interface. */
function networkInputs(c: GraphContext, description: ModelDescription, rows: Dim): Omit<NetworkInputs, "x"> {
  const axes = positionAxes(description);
  const numbers = (ofPositions: boolean) => type("f32", ofPositions ? [rows, c.lowering.length] : [rows]);
  const [level, column] = [numbers(axes.level), numbers(axes.noise)];
  return {
    level: description.time_conditioning.injection === "none" ? undefined : c.b.input("level", level),
    priorScale:
      description.prediction_type.prior_skip === "none" ? undefined : c.b.input("prior_scale", column),
    scales: {
      ...(description.embedding.input_preconditioning !== "none" && { c_in: c.b.input("c_in", column) }),
      ...(description.prediction_type.target !== "x0" && {
        c_skip: c.b.input("c_skip", column),
        c_out: c.b.input("c_out", column),
      }),
    },
    previous: previousX0(c, description, rows),
    encoded: encoderInput(c, description),
    label: classInput(c, description),
  };
}

/** The input self_cond, with the null in its place at the first call where that is learned: the host gives zeros there. */
function previousX0(c: GraphContext, description: ModelDescription, rows: Dim): Value | undefined {
  const { self_conditioning: self, embedding } = description;
  if (self.combine === "none") return undefined;
  const given = c.b.input("self_cond", c.lowering.activation(embedding.dim));
  if (self.null === "zeros") return given;
  return unlessFirst(c, self, given, c.b.input("self_cond_mask", type("bool", [rows])));
}

/**
 * @step: fixed positions are overwritten with their clean embeddings, the network predicts x0, the sampler's
 * affine update makes the next state. coefficients = [a, b, c, s] of src/diffusion's table, a row for each position where
 * positions are at levels of their own.
 */
function step(lowering: Lowering, description: ModelDescription): Graph {
  const c = lowering.graph("step");
  const state = lowering.activation(description.embedding.dim);
  const given = c.b.input("x", state);
  const network = networkInputs(c, description, Dim.of(1));
  const noise = c.b.input("noise", state);
  const coefficients = coefficientsInput(c, description);
  const fixed = description.conditioning.kind === "none" ? undefined : fixedPositions(c);
  const x = fixed === undefined ? given : overwriteFixed(c, given, fixed);
  const { x0, logits } = lowerGuided(c, description, { x, ...network }, fixed);
  const tokens = logits && tokensOf(c, logits);
  const clamped = clampedX0(c, description, normalizedLatents(c, description, x0), tokens);
  // A sampler of second order reads the prediction of the step before, which self-conditioning has already.
  const history =
    description.sampler.kind === "dpmpp_2m" || description.sampler.kind === "heun"
      ? (network.previous ?? c.b.input("x0_prev", state))
      : undefined;
  const next = c.b.at("/sampler", () =>
    c.b.emit("affine_step", { x0: clamped, x, noise, coefficients, x0_prev: history }, {}, "x_next"),
  );
  return c.finish({ x_next: next, x0: clamped, ...(tokens && { tokens }), ...(logits && { logits }) });
}

/** The predicted x0 f32[B, L, d] as the sampler takes it: rows of the embedding table where the description clamps. */
function clampedX0(c: GraphContext, description: WithTable, x0: Value, tokens: Value | undefined): Value {
  const clamp = clampOf(description.rounding_head);
  if (clamp === "none") return x0;
  const table = embeddingTable(c, description);
  return clamp === "nearest_embedding" || tokens === undefined
    ? clampToEmbeddings(c, x0, table)
    : c.b.at("/rounding_head", () => c.b.emit("take", { table, indices: tokens }, {}, "clamped"));
}

/** The coefficients of a row of the plan: of all positions, or a row of each. */
function coefficientsInput(c: GraphContext, description: ModelDescription | SamplerDescription): Value {
  const { noise } = positionAxes(description);
  return c.b.input("coefficients", type("f32", noise ? [c.lowering.length, Dim.of(4)] : [Dim.of(4)]));
}

/** The input fixed_mask as a column, bool[B, L, 1]. */
function fixedPositions({ b, lowering: { batch, length } }: GraphContext): Value {
  const mask = b.input("fixed_mask", type("bool", [batch, length]));
  return b.at("/conditioning", () => b.emit("reshape", { x: mask }, { shape: [batch, length, Dim.of(1)] }));
}

/** x where free, the clean embedding where a token is given (Diffusion-LM infilling; DiffuSeq partial noising). */
function overwriteFixed(c: GraphContext, x: Value, condition: Value): Value {
  const fixed = c.b.input("fixed_x", x.type);
  return c.b.at("/conditioning", () => c.b.emit("where", { condition, a: fixed, b: x }, {}, "x_fixed"));
}

/** @round(x) -> logits, tokens: the head on a final state, or the whole network where the head reads the trunk. */
function round(lowering: Lowering, description: ModelDescription): Graph {
  const c = lowering.graph("round");
  const x = c.b.input("x", lowering.activation(description.embedding.dim));
  const head = description.rounding_head;
  const logits = readsTrunk(head) ? readTrunk(c, description, x) : lowerLogits(c, description, x);
  return c.finish({ logits, tokens: tokensOf(c, logits) });
}

/** Logits of a network run that only reads: at the head's level, without a previous prediction. */
function readTrunk(c: GraphContext, description: ModelDescription, x: Value): Value {
  const { rounding_head: head, time_conditioning: time, self_conditioning: self } = description;
  const { b } = c;
  const literal = (value: number): Value => b.emit("literal", {}, { values: [value], shape: [Dim.of(1)] });
  const level = head.kind === "linear" && time.injection !== "none" ? literal(head.level) : undefined;
  const previous =
    self.combine === "none"
      ? undefined
      : b.emit("broadcast", { x: nullPrediction(c, self, lastExtent(x)) }, { shape: x.type.shape });
  const network = {
    x,
    level,
    priorScale: undefined,
    scales: {},
    previous,
    encoded: encoderInput(c, description),
    label: classInput(c, description),
  };
  return lowerNetwork(c, description, network, true).logits ?? bug("a head on the trunk gives no logits");
}

/** A sampler alone: @update(x0, x, noise, coefficients) is the state machine's arithmetic around a network given from outside. */
export function lowerUpdate(lowering: Lowering, description: SamplerDescription): Graph {
  const c = lowering.graph("update");
  const state = lowering.activation(description.embedding.dim);
  const predicted = c.b.input("x0", state);
  const x = c.b.input("x", state);
  const noise = c.b.input("noise", state);
  const coefficients = coefficientsInput(c, description);
  const x0 = clampedX0(c, description, normalizedLatents(c, description, predicted), undefined);
  const next = c.b.at("/sampler", () =>
    c.b.emit("affine_step", { x0, x, noise, coefficients }, {}, "x_next"),
  );
  return c.finish({ x_next: next, clamped: x0 });
}
