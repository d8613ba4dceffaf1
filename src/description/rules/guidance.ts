// Rules of classifier-free guidance: there is something to leave out in the second call, and a way to leave it out.

import type { Report } from "../../support/diagnostic.js";
import type { Description, ModelDescription, SamplerDescription } from "../description.js";

const pointer = "/sampler/guidance";
/** Samplers that draw every position's next token from weights, src/diffusion/discrete/samplers. */
const drawing = ["ancestral", "psi", "tau_leaping", "analytic", "discrete_flow"];

type Stated = ModelDescription | SamplerDescription;
type Guidance = NonNullable<Extract<Stated["sampler"], { readonly guidance?: unknown }>["guidance"]>;

/** Checks a sampler that has guidance. */
export function checkGuidance(description: Description, report: Report): void {
  if (description.part !== "model" && description.part !== "sampler") return;
  const { state_space: state, sampler } = description;
  if (!("guidance" in sampler) || sampler.guidance === undefined) return;
  const gaussian = state.kind === "continuous_embedding" || state.kind === "latent";
  if (gaussian && description.part === "sampler")
    report.error("model/guidance-alone", "guidance calls the network twice, and a sampler alone has none", {
      pointer,
      help: "leave it out, or describe a whole model",
    });
  else checkLeftOut(description, sampler.guidance, report);
  checkEmpty(description, sampler.guidance, report);
  checkKinds(description, sampler.guidance, report);
  if (sampler.guidance.of === "step" && "self_correction" in sampler && sampler.self_correction !== undefined)
    report.error(
      "model/guidance-correction",
      "self-correction draws from predictions, not from guided steps",
      {
        pointer: "/sampler/self_correction",
        notes: [{ message: "the guidance", pointer: `${pointer}/of` }],
        help: 'leave it out, or use "of": "prediction"',
      },
    );
  if (sampler.guidance.of === "step" && !drawing.includes(sampler.kind))
    report.error("model/guidance-step", `a step of ${sampler.kind} draws no token from weights`, {
      pointer: `${pointer}/of`,
      notes: [{ message: "the sampler", pointer: "/sampler/kind" }],
      help: `use "prediction", or one of the samplers ${drawing.join(", ")}`,
    });
}

/** The second call is another than the first. */
function checkLeftOut(
  { state_space: state, conditioning }: Stated,
  { empty }: Guidance,
  report: Report,
): void {
  if (conditioning.encoder !== undefined || conditioning.class?.null_class) return;
  const given = conditioning.kind !== "none";
  const nothing = {
    message: "no position, no encoder and no class with a null_class",
    pointer: "/conditioning",
  };
  const stands = ["absorbing", "hybrid", "continuous_embedding"].includes(state.kind);
  if (given && (empty !== undefined || stands)) return;
  if (given)
    report.error(
      "model/guidance-nothing",
      "guidance asks again without given tokens, and nothing stands for them",
      {
        pointer,
        notes: [{ message: `the state is ${state.kind}, which has no mask`, pointer: "/state_space/kind" }],
        help: 'add "empty": { "token": .. }, or use the state "absorbing"',
      },
    );
  else
    report.error("model/guidance-nothing", "guidance asks again without what is given, and nothing is", {
      pointer,
      notes: [nothing],
      help: 'leave it out, or use "fixed_positions", an "encoder" or a "class"',
    });
}

/** Empty tokens are tokens, and stand somewhere. */
function checkEmpty({ state_space: state, conditioning }: Stated, { empty }: Guidance, report: Report): void {
  if (empty === undefined) return;
  if (conditioning.kind === "none")
    report.error("model/empty-unread", "empty tokens stand where tokens are given, and none are", {
      pointer: `${pointer}/empty`,
      notes: [{ message: "no position is given", pointer: "/conditioning/kind" }],
      help: 'leave "empty" out, or use "fixed_positions"',
    });
  if (!("vocab_size" in state)) return;
  for (const name of ["token", "first", "last"] as const) {
    const token = empty[name];
    if (token === undefined || token < state.vocab_size) continue;
    report.error("model/empty-token", `${token} is not one of ${state.vocab_size} tokens`, {
      pointer: `${pointer}/empty/${name}`,
      notes: [{ message: "the vocabulary", pointer: "/state_space/vocab_size" }],
      help: `use a token below ${state.vocab_size}`,
    });
  }
}

/** What only a simplex state has: probabilities of logits, logits fed back, a state that given positions hide. */
function checkKinds({ state_space: state }: Stated, { of, fed_back, empty }: Guidance, report: Report): void {
  if (state.kind === "simplex") return;
  const refuse = (place: string, message: string): void => {
    report.error("model/guidance-simplex", message, {
      pointer: pointer + place,
      notes: [{ message: `the state is ${state.kind}`, pointer: "/state_space/kind" }],
      help: 'leave it out, or use the state "simplex"',
    });
  };
  if (of === "probabilities") refuse("/of", "probabilities are combined where the state is a simplex");
  if (fed_back === "conditional")
    refuse("/fed_back", "what is fed back is chosen where the state is a simplex");
  if (empty?.positions === "all")
    refuse("/empty/positions", "empty tokens everywhere hide the state of a simplex");
}
