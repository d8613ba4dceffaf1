// Rules of self-conditioning: what may be fed back, and where it enters.

import type { Note, Report } from "../../support/diagnostic.js";
import type { Description, ModelDescription } from "../description.js";
import { placedLength } from "./place.js";

/** Checks how a model sees its own previous prediction. */
export function checkSelfConditioning(description: Description, report: Report): void {
  if (description.part !== "model") return;
  checkMix(description, report);
  checkSignal(description, report);
  checkNull(description, report);
  checkConcat(description, report);
  checkInBlocks(description, report);
  checkCanvas(description, report);
  checkTarget(description, report);
  checkTemperature(description, report);
}

/** Mixing before the embedding needs two states of logits, and a rule without a matrix. */
function checkMix({ self_conditioning: self, state_space: state }: ModelDescription, report: Report): void {
  const { mix, combine } = self;
  if (mix === "embeddings") return;
  const simplex = state.kind === "simplex";
  if (simplex && ["sum", "mean", "max", "product"].includes(combine)) return;
  const at = simplex ? "/self_conditioning/combine" : "/state_space/kind";
  report.error("model/mix", `${mix} are mixed by sum, mean, max or product, with a simplex state`, {
    pointer: "/self_conditioning/mix",
    notes: [{ message: simplex ? `this is ${combine}` : `the state is ${state.kind}`, pointer: at }],
    help: 'use "embeddings"',
  });
}

/** A projection is of logits onto a simplex, and it is fed back. */
function checkSignal(
  { self_conditioning: self, state_space: state }: ModelDescription,
  report: Report,
): void {
  if (self.signal !== "projection" || (state.kind === "simplex" && self.combine !== "none")) return;
  report.error("model/self-conditioning-signal", "a projection is fed back where the state is a simplex", {
    pointer: "/self_conditioning/signal",
    notes: [
      state.kind === "simplex"
        ? { message: "nothing is fed back", pointer: "/self_conditioning/combine" }
        : { message: `the state is ${state.kind}`, pointer: "/state_space/kind" },
    ],
    help: 'use "x0"',
  });
}

/** A learned null is a vector, where logits are fed back there is none. */
function checkNull({ self_conditioning: self, state_space: state }: ModelDescription, report: Report): void {
  if (self.null === "zeros") return;
  const refuse = (why: string, note: Note): void => {
    report.error("model/self-conditioning-null", why, {
      pointer: "/self_conditioning/null",
      notes: [note],
      help: "leave it out",
    });
  };
  if (state.kind === "simplex")
    refuse("a simplex state feeds logits back, and a learned null is an embedding", {
      message: "the state is simplex",
      pointer: "/state_space/kind",
    });
  else if (self.combine === "none")
    refuse("there is no self-conditioning that could begin with a null", {
      message: "nothing is fed back",
      pointer: "/self_conditioning/combine",
    });
}

/** Twice the width enters the trunk only where a layer reads it, and at every position. */
function checkConcat({ self_conditioning: self, embedding }: ModelDescription, report: Report): void {
  if (self.combine !== "concat") return;
  const refuse = (why: string, note: Note, help: string): void => {
    report.error("model/self-conditioning-concat", why, {
      pointer: "/self_conditioning/combine",
      notes: [note],
      help,
    });
  };
  if (embedding.in_proj.length === 0)
    refuse(
      "the state and the previous prediction side by side are twice as wide as the trunk",
      { message: "the trunk is as wide as the state", pointer: "/embedding/dim" },
      'give "embedding" an "in_proj", or use "concat_linear"',
    );
  else if (self.canvas !== undefined)
    refuse(
      "the positions before the canvas would be half as wide as those of it",
      { message: "the canvas", pointer: "/self_conditioning/canvas" },
      'use "concat_linear", or leave "canvas" out',
    );
}

/** Blocks have a layer of a prediction of the state, as long as what they see. */
function checkInBlocks(description: ModelDescription, report: Report): void {
  const { self_conditioning: self, state_space: state, embedding, time_conditioning: time } = description;
  if (self.at === "state") return;
  const refuse = (why: string, note: Note, help: string): void => {
    report.error("model/self-conditioning-blocks", why, {
      pointer: "/self_conditioning/at",
      notes: [note],
      help,
    });
  };
  if (self.combine !== "add")
    refuse(
      "blocks add a layer of the previous prediction to their input",
      { message: `this is ${self.combine}`, pointer: "/self_conditioning/combine" },
      'use "add", or leave "at" out',
    );
  if (state.kind !== "continuous_embedding" && state.kind !== "latent")
    refuse(
      "what blocks add is a prediction of embeddings or latents",
      { message: `the state is ${state.kind}`, pointer: "/state_space/kind" },
      "leave it out",
    );
  if (self.canvas !== undefined)
    refuse(
      "blocks add it at every position",
      { message: "the canvas", pointer: "/self_conditioning/canvas" },
      'leave "canvas" out',
    );
  const prefixed = time.injection === "prefix_tokens";
  if (prefixed || embedding.prefix.length > 0)
    refuse(
      "tokens that stand before the sequence have no previous prediction",
      {
        message: "the prefix tokens",
        pointer: prefixed ? "/time_conditioning/injection" : "/embedding/prefix",
      },
      'use "state"',
    );
}

/** The canvas is a part of the text. */
function checkCanvas(description: ModelDescription, report: Report): void {
  const { canvas } = description.self_conditioning;
  const length = placedLength(description);
  if (canvas === undefined || canvas <= length.value) return;
  report.error("model/canvas-length", `a canvas of ${canvas} positions does not fit into ${length.value}`, {
    pointer: "/self_conditioning/canvas",
    notes: [length.note],
  });
}

/** What is fed back is a distribution of tokens. */
function checkTarget(description: ModelDescription, report: Report): void {
  const { self_conditioning: self, prediction_type: prediction } = description;
  if (self.combine === "none" || prediction.target !== "log_score") return;
  report.error(
    "model/self-conditioning-target",
    "the previous logits are fed back, and log scores are none",
    {
      pointer: "/self_conditioning/combine",
      notes: [{ message: "the target", pointer: "/prediction_type/target" }],
      help: 'use the target "x0", or leave self-conditioning out',
    },
  );
}

/** A sampler that divides logits by a number, which is not 0. */
function checkTemperature(description: ModelDescription, report: Report): void {
  const { self_conditioning: self, state_space: state, sampler } = description;
  if (self.temperature === "none") return;
  const refuse = (why: string, note: Note, help: string): void => {
    report.error("model/self-conditioning-temperature", why, {
      pointer: "/self_conditioning/temperature",
      notes: [note],
      help,
    });
  };
  if (state.kind !== "absorbing" && state.kind !== "uniform") {
    refuse(
      "samplers read logits at a temperature where the state is one of tokens",
      { message: `the state is ${state.kind}`, pointer: "/state_space/kind" },
      "leave it out",
    );
    return;
  }
  for (const name of ["temperature", "final_temperature"] as const)
    if (name in sampler && (sampler as { readonly [member in typeof name]?: number })[name] === 0)
      refuse(
        "the previous logits would be divided by 0",
        { message: "the sampler takes the best token", pointer: `/sampler/${name}` },
        'use "none", or a temperature above 0',
      );
}
