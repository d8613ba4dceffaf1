// Rules of latents: they are no rows of a table, so nothing of a description may ask for tokens where there are none.
// Those of their decoder are in decoder.ts.

import type { Report } from "../../support/diagnostic.js";
import type { Description, ModelDescription, SamplerDescription } from "../description.js";

type Stated = ModelDescription | SamplerDescription;

/** Checks what a state of latents cannot have, and that other states have a head. */
export function checkLatent(description: Description, report: Report): void {
  if (description.part !== "model" && description.part !== "sampler") return;
  if (description.state_space.kind === "latent") checkLatents(description, report);
  else checkHead(description, report);
}

function checkLatents(description: Stated, report: Report): void {
  const { embedding, prediction_type: prediction, rounding_head: head, conditioning, sampler } = description;
  const refuse = (pointer: string, message: string, help = "leave it out"): void => {
    report.error("model/latent-unfit", message, {
      pointer,
      notes: [{ message: "the state is latents", pointer: "/state_space/kind" }],
      help,
    });
  };
  if (embedding.table.kind !== "learned")
    refuse("/embedding/table", "latents are made by an encoder, not looked up in a table");
  if (embedding.normalization !== "none")
    refuse(
      "/embedding/normalization",
      "rows of an embedding table are normalised, and latents have none",
      'use "normalization" of "state_space"',
    );
  if (embedding.scale !== 1)
    refuse(
      "/embedding/scale",
      "rows of an embedding table are scaled, and latents have none",
      'use "standardization" of "state_space"',
    );
  embedding.prefix.forEach((group, k) => {
    if (group.kind === "mode" && group.active === "round")
      refuse(
        `/embedding/prefix/${k}/active`,
        "no tokens are read from the trunk of a network of latents",
        'use "always" or "never", or leave the group out',
      );
  });
  if (prediction.x0_from !== "direct")
    refuse("/prediction_type/x0_from", "softmax_embedding makes embeddings of tokens");
  const decoder = description.part === "model" ? description.decoder : undefined;
  if (prediction.logit_softcap !== 0 && decoder === undefined)
    refuse("/prediction_type/logit_softcap", "there are no logits to cap");
  if (head.kind !== "none" && decoder === undefined)
    refuse(
      "/rounding_head/kind",
      "there is nothing for a rounding head to read: a generation ends in latents",
      'leave it out, or describe a "decoder"',
    );
  if (conditioning.kind !== "none")
    refuse(
      "/conditioning/kind",
      "tokens cannot be given where there are no embeddings of them",
      'use "none"',
    );
  if ("final" in sampler && sampler.final === "denoise" && prediction.x0_from === "direct")
    refuse(
      "/sampler/final",
      "the last call of denoise is asked for logits, and there are none",
      'use "round", with timesteps that end near 0',
    );
}

function checkHead(description: Stated, report: Report): void {
  if (description.rounding_head.kind === "none")
    report.error("model/head-none", "a generation ends in tokens, and nothing makes them", {
      pointer: "/rounding_head/kind",
      notes: [{ message: `the state is ${description.state_space.kind}`, pointer: "/state_space/kind" }],
      help: 'use "linear", or the state "latent"',
    });
}
