// Rules of prefix tokens and of a head that reads the trunk behind them.

import type { Report } from "../../support/diagnostic.js";
import type { Description, ModelDescription } from "../description.js";
import { describedBlocks, headWidth, innermost, timeWidth } from "../widths.js";
import { placedWidth } from "./place.js";

/** Mixers whose parameters do not know the number of positions, or that see only neighbours. */
const anyLength: ReadonlySet<string> = new Set(["attention", "short_conv", "linear", "norm", "conv"]);

/** Checks the prefix tokens and the head of a model. */
export function checkPrefix(description: Description, report: Report): void {
  if (description.part !== "model") return;
  checkMixers(description, report);
  checkNumbers(description, report);
  checkHead(description, report);
}

function checkMixers(description: ModelDescription, report: Report): void {
  const { embedding, time_conditioning: time } = description;
  const ofTime = time.injection === "prefix_tokens";
  if (!ofTime && embedding.prefix.length === 0) return;
  const mixers = describedBlocks(description.blocks).flatMap(({ block, pointer }) =>
    innermost(block.mixer, `${pointer}/mixer`),
  );
  for (const [mixer, pointer] of mixers)
    if (!anyLength.has(mixer.kind))
      report.error("model/prefix-mixer", `${mixer.kind} is as long as the text, without tokens before it`, {
        pointer: `${pointer}/kind`,
        notes: [
          {
            message: "the prefix tokens",
            pointer: ofTime ? "/time_conditioning/injection" : "/embedding/prefix",
          },
        ],
        help: "use attention or short_conv, or additive time features",
      });
}

function checkNumbers(description: ModelDescription, report: Report): void {
  const width = placedWidth(description);
  for (const [k, group] of description.embedding.prefix.entries()) {
    if (group.kind !== "number") continue;
    const found = timeWidth({ injection: "prefix_tokens", ...group });
    const { dims } = group.mlp;
    if (found !== width.value)
      report.error(
        "model/prefix-width",
        `features of width ${found} cannot be added to tokens of width ${width.value}`,
        {
          pointer: `/embedding/prefix/${k}/${dims.length > 0 ? `mlp/dims/${dims.length - 1}` : "features/dim"}`,
          notes: [width.note],
          help: `the last of "dims" must be ${width.value}`,
        },
      );
  }
}

/** A head on the trunk has its own run of the network, which ends a plan that rounds. */
function checkHead(description: ModelDescription, report: Report): void {
  const {
    rounding_head: head,
    prediction_type: prediction,
    embedding,
    state_space: state,
    sampler,
  } = description;
  if (head.kind !== "linear") return;
  const last = head.layers.length - 1;
  const found = headWidth(description);
  if (head.tied && (last >= 0 || head.reads === "trunk") && found !== embedding.dim)
    report.error(
      "model/head-width",
      `the head compares with embeddings of width ${embedding.dim}, it has ${found}`,
      {
        pointer: last >= 0 ? `/rounding_head/layers/${last}/out` : "/rounding_head/tied",
        notes: [{ message: "the embedding's width", pointer: "/embedding/dim" }],
        help: `end "rounding_head.layers" in { "out": ${embedding.dim} }`,
      },
    );
  if (head.reads !== "trunk" || state.kind !== "continuous_embedding") return;
  const notes = [{ message: "the head reads the trunk", pointer: "/rounding_head/reads" }];
  if (prediction.x0_from !== "direct")
    report.error("model/head-trunk", "x0 is made of the head's logits, which are read after sampling only", {
      pointer: "/prediction_type/x0_from",
      notes,
      help: 'use "x0_from": "direct", or "reads": "output"',
    });
  else if ("final" in sampler && sampler.final !== "round")
    report.error("model/head-trunk", "the tokens are read from the final state, not from a last prediction", {
      pointer: "/sampler/final",
      notes,
      help: 'use "final": "round"',
    });
}
