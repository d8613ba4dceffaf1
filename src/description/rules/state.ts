// Rules of the state space: which samplers, predictions and options belong to embeddings and which to tokens.

import type { Report } from "../../support/diagnostic.js";
import type { Description, ModelDescription, SamplerDescription } from "../description.js";

type Stated = ModelDescription | SamplerDescription;

const gaussian = ["ddim", "ddpm", "euler", "heun", "dpmpp_2m", "renoise", "flow"];
const ofSimplex = ["renoise", "ddim", "ddpm"];
/** Samplers of tokens that read probabilities alone; the others read scores, or uncover masks. */
const ofAnyNoise = ["ancestral", "psi", "confidence"];
const ofTokens = [...ofAnyNoise, "tau_leaping", "analytic", "first_hitting", "discrete_flow"];

/** Checks that what a description says fits the state it acts on. */
export function checkState(description: Description, report: Report): void {
  if (description.part !== "model" && description.part !== "sampler") return;
  checkMask(description, report);
  checkSamplerKind(description, report);
  checkTarget(description, report);
  checkQuota(description, report);
  checkSelfCorrection(description, report);
  const { kind } = description.state_space;
  if (kind === "continuous_embedding" || kind === "latent") checkContinuous(description, report);
  else checkTokens(description, report);
  checkSimplex(description, report);
}

function stateNote({ state_space: state }: Stated) {
  return perToken(state)
    ? [{ message: "every token has a schedule of its own", pointer: "/state_space/token_schedule" }]
    : [{ message: `the state is ${state.kind}`, pointer: "/state_space/kind" }];
}

/** Whether tokens are masked at different times. */
function perToken(state: Stated["state_space"]): boolean {
  return state.kind === "absorbing" && state.token_schedule !== undefined;
}

function checkMask({ state_space: state }: Stated, report: Report): void {
  if ("mask_token_id" in state && state.mask_token_id >= state.vocab_size)
    report.error(
      "model/mask-token",
      `the mask token ${state.mask_token_id} is not one of ${state.vocab_size} tokens`,
      {
        pointer: "/state_space/mask_token_id",
        notes: [{ message: "the vocabulary, mask included", pointer: "/state_space/vocab_size" }],
        help: `use a token below ${state.vocab_size}, or count the mask in vocab_size`,
      },
    );
}

function checkSamplerKind(description: Stated, report: Report): void {
  const { state_space: state, sampler } = description;
  const fitting = {
    continuous_embedding: gaussian,
    latent: gaussian,
    simplex: ofSimplex,
    absorbing: perToken(state) ? ofAnyNoise : ofTokens,
    uniform: ofTokens,
    hybrid: ofAnyNoise,
    matrix: ofAnyNoise,
  }[state.kind];
  if (!fitting.includes(sampler.kind))
    report.error("model/sampler-state", `the sampler ${sampler.kind} does not act on this state`, {
      pointer: "/sampler/kind",
      notes: stateNote(description),
      help: `use one of ${fitting.join(", ")}`,
    });
  else if (sampler.kind === "first_hitting" && state.kind !== "absorbing")
    report.error(
      "model/sampler-state",
      "first_hitting uncovers masked positions, and this state has no mask",
      {
        pointer: "/sampler/kind",
        notes: stateNote(description),
        help: 'use the state "absorbing", or the sampler "ancestral"',
      },
    );
  else if (
    (state.kind === "hybrid" || state.kind === "matrix" || perToken(state)) &&
    sampler.kind === "ancestral" &&
    sampler.move_chance === "time"
  )
    report.error("model/move-chance", "noise of this state is that of the schedule, not of the time", {
      pointer: "/sampler/move_chance",
      notes: stateNote(description),
      help: 'use "schedule"',
    });
}

function checkQuota(description: Stated, report: Report): void {
  const { state_space: state, sampler } = description;
  if (sampler.kind !== "confidence" || sampler.quota.kind !== "schedule") return;
  if (sampler.quota.among !== "all") {
    if (sampler.quota.placed_scale !== 1)
      report.error("model/quota-placed", "placed positions do not compete, so no score of theirs is scaled", {
        pointer: "/sampler/quota/placed_scale",
        notes: [{ message: "only open ones do", pointer: "/sampler/quota/among" }],
        help: 'set "among" to "all", or leave "placed_scale" out',
      });
    return;
  }
  if (!("mask_token_id" in state))
    report.error("model/quota-state", "placed positions are masked again, and this state has no mask", {
      pointer: "/sampler/quota/among",
      notes: stateNote(description),
      help: 'use the state "absorbing", or leave "among" out',
    });
}

function checkSelfCorrection(description: Stated, report: Report): void {
  const { sampler, prediction_type: prediction, noise_schedule: schedule } = description;
  if (!("self_correction" in sampler) || sampler.self_correction === undefined) return;
  if (prediction.target === "subs")
    report.error("model/self-correction", "self-correction replaces placed tokens, and with subs they stay", {
      pointer: "/sampler/self_correction",
      notes: [{ message: "the target", pointer: "/prediction_type/target" }],
      help: "leave it out",
    });
  if (sampler.self_correction.t !== undefined && schedule.discretization.kind !== "continuous")
    report.error("model/self-correction", "a time between trained steps has no noise level", {
      pointer: "/sampler/self_correction/t",
      notes: [{ message: "the schedule", pointer: "/noise_schedule/discretization" }],
      help: "leave it out: the last visited step is then used",
    });
}

function checkTarget(description: Stated, report: Report): void {
  const { state_space: state, prediction_type: prediction } = description;
  const ofGaussian = ["x0", "epsilon", "v", "score", "velocity", "edm"];
  const targets = {
    continuous_embedding: ofGaussian,
    latent: ofGaussian,
    simplex: ["x0"],
    absorbing: perToken(state) ? ["x0", "subs"] : ["x0", "subs", "log_score"],
    uniform: ["x0", "plug_in", "log_score"],
    hybrid: ["x0", "plug_in"],
    matrix: ["x0", "plug_in"],
  };
  const fitting = targets[state.kind];
  if (!fitting.includes(prediction.target))
    report.error("model/target-state", `the prediction ${prediction.target} does not belong to this state`, {
      pointer: "/prediction_type/target",
      notes: stateNote(description),
      help: `use ${fitting.join(" or ")}`,
    });
  if (prediction.scale_by_sigma && (prediction.target !== "log_score" || state.kind !== "absorbing"))
    report.error("model/scale-by-sigma", "scale_by_sigma is for log scores of an absorbing state", {
      pointer: "/prediction_type/scale_by_sigma",
      notes: [{ message: "the target", pointer: "/prediction_type/target" }, ...stateNote(description)],
      help: "leave it out",
    });
}

function checkContinuous(description: Stated, report: Report): void {
  const { target, x0_from } = description.prediction_type;
  if (target !== "x0" && x0_from === "softmax_embedding")
    report.error(
      "model/target-logits",
      `the output is logits, from which x0 follows; it cannot be ${target}`,
      {
        pointer: "/prediction_type/target",
        notes: [{ message: "x0 comes from logits", pointer: "/prediction_type/x0_from" }],
        help: 'use "x0", or "x0_from": "direct"',
      },
    );
  if ((target === "epsilon" || target === "score") && description.noise_schedule.family === "flow")
    report.error(
      "model/target-flow",
      `a flow starts without signal, and x0 is not read off ${target} there`,
      {
        pointer: "/prediction_type/target",
        notes: [{ message: "the noise schedule", pointer: "/noise_schedule/family" }],
        help: 'use "x0", "v" or "velocity"',
      },
    );
  if (target === "velocity" && description.noise_schedule.family !== "flow")
    report.error("model/target-velocity", "a velocity is one along the straight path of the schedule flow", {
      pointer: "/prediction_type/target",
      notes: [{ message: "the noise schedule", pointer: "/noise_schedule/family" }],
      help: 'use "v", or the noise schedule "flow"',
    });
  const { rounding_head: head } = description;
  if (description.part === "sampler" && head.kind !== "none" && head.clamp === "argmax_embedding")
    report.error("model/clamp-logits", "a sampler alone has no logits to take the best token of", {
      pointer: "/rounding_head/clamp",
      notes: [{ message: "the part", pointer: "/part" }],
      help: 'use "nearest_embedding" or "none"',
    });
  if (description.prediction_type.logit_shift !== 0)
    report.error("model/logit-shift", "logit_shift moves the logits of tokens; this state is continuous", {
      pointer: "/prediction_type/logit_shift",
      notes: stateNote(description),
      help: "leave it out",
    });
}

/** What only a state of embeddings has. */
function checkTokens(description: Stated, report: Report): void {
  const { prediction_type: prediction, rounding_head: head, state_space: state } = description;
  const simplex = state.kind === "simplex";
  const refuse = (pointer: string, what: string): void => {
    report.error(
      "model/continuous-only",
      `${what}, and the state is one of ${simplex ? "logits" : "tokens"}`,
      {
        pointer,
        notes: stateNote(description),
        help: "leave it out",
      },
    );
  };
  const { noise_schedule: schedule, embedding } = description;
  if ("process" in schedule && schedule.process !== "variance_preserving")
    refuse("/noise_schedule/process", "the variance of a state explodes where it is one of embeddings");
  if (embedding.input_preconditioning !== "none")
    refuse("/embedding/input_preconditioning", "input preconditioning scales noisy embeddings");
  if (prediction.x0_from !== "direct")
    refuse("/prediction_type/x0_from", "softmax_embedding makes embeddings");
  if (prediction.prior_skip !== "none")
    refuse("/prediction_type/prior_skip", "the prior skip reads a noisy embedding");
  if (head.kind === "l2_nearest") refuse("/rounding_head/kind", "l2_nearest rounds embeddings");
  if (head.kind !== "none" && head.clamp !== "none")
    refuse("/rounding_head/clamp", "the clamp rounds embeddings");
}

/** What only a simplex state has, and what it cannot have. */
function checkSimplex(description: Stated, report: Report): void {
  const { state_space: state, sampler, conditioning, part } = description;
  const simplex = state.kind === "simplex";
  const given = conditioning.kind === "fixed_positions" ? conditioning : undefined;
  const refuse = (pointer: string, message: string): void => {
    report.error(simplex ? "model/simplex-unfit" : "model/simplex-only", message, {
      pointer,
      notes: stateNote(description),
      help: "leave it out",
    });
  };
  if (simplex) {
    if (part === "sampler") refuse("/part", "a sampler alone has no logits to project onto the simplex");
    if (given?.mode === "renoised")
      refuse("/conditioning/mode", "given tokens enter a simplex state's network by their embeddings");
    return;
  }
  if ("projection" in sampler && sampler.projection !== undefined)
    refuse("/sampler/projection", "a projection makes a point of the simplex from logits");
  if (given?.table === "own")
    refuse("/conditioning/table", "given tokens have a table of their own beside a simplex");
  if (given?.time === "free")
    refuse("/conditioning/time", "time is left out of given positions where the network is told them");
}
