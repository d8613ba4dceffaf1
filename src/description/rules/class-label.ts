// Rules of a class label: there is something to add it to, of its width.

import type { Report } from "../../support/diagnostic.js";
import type { Description, ModelDescription } from "../description.js";
import { timeWidth, trunkWidth } from "../widths.js";

const here = "/conditioning/class";

/** Checks conditioning.class. */
export function checkClassLabel(description: Description, report: Report): void {
  if (!("conditioning" in description) || description.conditioning.class === undefined) return;
  if (description.part === "model") checkWidth(description, report);
  else
    report.error("model/class-unread", "a sampler alone calls no network, which would read the class", {
      pointer: here,
      help: "leave it out, or describe a whole model",
    });
}

function checkWidth(
  { conditioning, time_conditioning: time, embedding, sampler }: ModelDescription,
  report: Report,
): void {
  const { class: label } = conditioning;
  if (label === undefined) return;
  const { injection, layers, dim } = label;
  if ("blocks" in sampler && sampler.blocks?.cache === "exact")
    report.error("model/class-cache", "settled blocks are kept without the class that they were told", {
      pointer: here,
      notes: [{ message: "the cache", pointer: "/sampler/blocks/cache" }],
      help: 'leave "cache" or "class" out',
    });
  if (injection !== "positions" && time.injection === "none") {
    report.error(
      "model/class-injection",
      "the class is added to the noise level's vector, and there is none",
      {
        pointer: `${here}/injection`,
        notes: [{ message: "no time conditioning", pointer: "/time_conditioning" }],
        help: 'use "positions", or give the model a time conditioning',
      },
    );
    return;
  }
  const [wanted, place] =
    injection === "positions"
      ? [trunkWidth(embedding), "/embedding"]
      : [timeWidth(time), "/time_conditioning"];
  const width = layers.at(-1)?.out ?? dim;
  if (width !== wanted)
    report.error(
      "model/class-width",
      `the class is a vector of ${width}, what it is added to has ${wanted}`,
      {
        pointer: layers.length > 0 ? `${here}/layers/${layers.length - 1}/out` : `${here}/dim`,
        notes: [{ message: "what it is added to", pointer: place }],
        help:
          layers.length > 0 ? `end the layers in ${wanted}` : `use ${wanted}, or end in a layer of ${wanted}`,
      },
    );
}
