// Rules of the way in and out: positions, the output layer, the rounding head, the prior skip.

import type { Report } from "../../support/diagnostic.js";
import type { Description, ModelDescription, SamplerDescription } from "../description.js";
import { outputWidth, vocabularySize } from "../widths.js";
import { placedLength, placedWidth } from "./place.js";
import { checkPositions } from "./position-table.js";

/** Checks how x enters and how x0, logits and tokens leave. */
export function checkOutput(description: Description, report: Report): void {
  if (description.part !== "model" && description.part !== "sampler") return;
  checkPositions(description.embedding.positions, "/embedding/positions", placedLength(description), report);
  checkTable(description, report);
  checkPrior(description, report);
  if (description.part === "model") checkWidths(description, report);
}

function checkTable(description: ModelDescription | SamplerDescription, report: Report): void {
  const { embedding } = description;
  const tokens = vocabularySize(description);
  const digits = Math.ceil(Math.log2(tokens));
  if (embedding.table.kind === "bits" && embedding.dim < digits)
    report.error(
      "model/table-bits",
      `${tokens} tokens have ${digits} binary digits, the embedding has ${embedding.dim} components`,
      {
        pointer: "/embedding/dim",
        notes: [{ message: "the table", pointer: "/embedding/table/kind" }],
        help: `use "dim": ${digits}`,
      },
    );
}

function checkPrior(description: ModelDescription | SamplerDescription, report: Report): void {
  const { prior_skip: prior, x0_from: from } = description.prediction_type;
  if (prior === "none") return;
  if (from === "direct")
    report.error("model/prior-skip", "prior_skip adds to logits, but x0 is predicted directly", {
      pointer: "/prediction_type/prior_skip",
      notes: [{ message: "x0 comes from here", pointer: "/prediction_type/x0_from" }],
      help: 'use "x0_from": "softmax_embedding", or leave "prior_skip" out',
    });
  else if (description.embedding.normalization === "none")
    report.warn("model/prior-norm", "prior_skip is a log posterior only if all embeddings have one norm", {
      pointer: "/prediction_type/prior_skip",
      notes: [{ message: "rows are used as stored", pointer: "/embedding/normalization" }],
      help: 'use "normalization": "unit_sqrt_d" if the checkpoint was trained with it',
    });
}

/** The width of the output layer against what reads it. */
function checkWidths(description: ModelDescription, report: Report): void {
  const { embedding, prediction_type: prediction, rounding_head: head } = description;
  const found = outputWidth(description);
  const { kind } = description.state_space;
  const gaussian = kind === "continuous_embedding" || kind === "latent";
  // Logits of tokens come from a head of any width; only a tied one reads the embedding's.
  const free = !gaussian && !(head.kind === "linear" && head.tied);
  if (found === embedding.dim || free) return;
  const last = prediction.out_proj.length - 1;
  const trunk = placedWidth(description).note.pointer ?? "";
  const pointer = last < 0 ? trunk : `/prediction_type/out_proj/${last}/out`;
  const state = kind === "latent" ? "latents'" : "embedding's";
  const embedded = { message: `the ${state} width`, pointer: "/embedding/dim" };
  const help = `end "prediction_type.out_proj" in { "out": ${embedding.dim} }`;
  if (prediction.x0_from === "direct" && gaussian)
    report.error("model/output-width", `the output has width ${found}, x0 needs ${embedding.dim}`, {
      pointer,
      notes: [embedded],
      help,
    });
  else if (
    head.kind === "l2_nearest" ||
    (head.kind === "linear" && head.tied && head.reads === "output" && head.layers.length === 0)
  )
    report.error(
      "model/head-width",
      `the head compares with embeddings of width ${embedding.dim}, the output has ${found}`,
      {
        pointer: head.kind === "linear" ? "/rounding_head/tied" : "/rounding_head/kind",
        notes: [embedded, { message: "the output's width", pointer }],
        help,
      },
    );
}
