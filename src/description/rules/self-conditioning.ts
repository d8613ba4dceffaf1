// Rules of self-conditioning: what may be fed back, and where it enters.

import type { Report } from "../../support/diagnostic.js";
import type { Description, ModelDescription } from "../description.js";
import { placedLength } from "./place.js";

/** Checks how a model sees its own previous prediction. */
export function checkSelfConditioning(description: Description, report: Report): void {
  if (description.part !== "model") return;
  checkMix(description, report);
  checkCanvas(description, report);
}

/** Mixing before the embedding needs two states of logits, and a rule without a matrix. */
function checkMix({ self_conditioning: self, state_space: state }: ModelDescription, report: Report): void {
  const { mix, combine } = self;
  if (mix === "embeddings") return;
  const simplex = state.kind === "simplex";
  if (simplex && (combine === "sum" || combine === "mean" || combine === "max")) return;
  const at = simplex ? "/self_conditioning/combine" : "/state_space/kind";
  report.error("model/mix", `${mix} are mixed by sum, mean or max, with a simplex state`, {
    pointer: "/self_conditioning/mix",
    notes: [{ message: simplex ? `this is ${combine}` : `the state is ${state.kind}`, pointer: at }],
    help: 'use "embeddings"',
  });
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
