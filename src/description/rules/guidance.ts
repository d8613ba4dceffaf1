// Rules of classifier-free guidance: there is something to leave out in the second call, and a way to leave it out.

import type { Report } from "../../support/diagnostic.js";
import type { Description } from "../description.js";

const pointer = "/sampler/guidance";

/** Checks a sampler that has guidance. */
export function checkGuidance(description: Description, report: Report): void {
  if (description.part !== "model" && description.part !== "sampler") return;
  const { state_space: state, sampler } = description;
  if (!("guidance" in sampler) || sampler.guidance === undefined) return;
  const notes = [{ message: `the state is ${state.kind}`, pointer: "/state_space/kind" }];
  if (state.kind === "uniform")
    report.error("model/guidance-state", "guidance masks the given tokens, and this state has no mask", {
      pointer,
      notes,
      help: 'leave it out, or use the state "absorbing"',
    });
  else if (state.kind === "simplex")
    report.error("model/guidance-state", "guidance is for embeddings and masked tokens", {
      pointer,
      notes,
      help: 'leave it out, or use the state "continuous_embedding"',
    });
  if (state.kind !== "continuous_embedding") return;
  if (description.part === "sampler")
    report.error("model/guidance-alone", "guidance calls the network twice, and a sampler alone has none", {
      pointer,
      help: "leave it out, or describe a whole model",
    });
  else if (description.conditioning.kind === "none" && description.conditioning.encoder === undefined)
    report.error("model/guidance-nothing", "guidance asks again without what is given, and nothing is", {
      pointer,
      notes: [{ message: "no position and no encoder", pointer: "/conditioning" }],
      help: 'leave it out, or use "fixed_positions" or an "encoder"',
    });
}
