// Rules of time conditioning: its features against the trunk, its injection against the blocks.

import type { Report } from "../../support/diagnostic.js";
import type {
  AdaLnTime,
  AdditiveTime,
  Block,
  Description,
  ModelDescription,
  PrefixTokensTime,
} from "../description.js";
import { placedBlocks, timeWidth } from "../widths.js";
import { placedWidth } from "./place.js";

const here = "/time_conditioning";

/** Checks the time conditioning of a description that has one. */
export function checkTime(description: Description, report: Report): void {
  const time = "time_conditioning" in description ? description.time_conditioning : undefined;
  if (time === undefined || time.injection === "none") return;
  checkInput(description, time, report);
  checkFeatures(time, report);
  if (time.injection !== "ada_ln") checkAtInput(description, time, report);
  else checkAdaLn(description, time, report);
}

function checkInput(
  description: Description,
  { input }: AdaLnTime | AdditiveTime | PrefixTokensTime,
  report: Report,
): void {
  if (input !== "t_index" || !("noise_schedule" in description)) return;
  if (description.noise_schedule.discretization.kind === "continuous")
    report.error(
      "model/time-index",
      "t_index is the index of a training step, but the schedule is continuous",
      {
        pointer: `${here}/input`,
        notes: [{ message: "the noise schedule", pointer: "/noise_schedule/discretization" }],
        help: 'use "t" or "gamma", or give the schedule a discretization',
      },
    );
}

function checkFeatures({ features }: AdaLnTime | AdditiveTime | PrefixTokensTime, report: Report): void {
  if (features.kind !== "sinusoidal") return;
  if (features.denominator === "half_minus_1" && features.dim < 4)
    report.error("model/time-features", `with half_minus_1, ${features.dim} features would divide by zero`, {
      pointer: `${here}/features/dim`,
      notes: [{ message: "the denominator", pointer: `${here}/features/denominator` }],
      help: "use 4 features or more",
    });
}

/** Layers of the blocks take features of any width, and add them at every position. */
function checkInBlocks({ conditioning }: ModelDescription, report: Report): void {
  if (conditioning.kind === "fixed_positions" && conditioning.time === "free")
    report.error("model/time-blocks", "blocks add the time at given positions too", {
      pointer: `${here}/at`,
      notes: [{ message: "given positions are to be left out", pointer: "/conditioning/time" }],
      help: 'use "input", or leave "time" of "conditioning" out',
    });
}

/** Features that are added to the trunk's input, or stand before it as tokens, have its width. */
function checkAtInput(description: Description, time: AdditiveTime | PrefixTokensTime, report: Report): void {
  if (description.part === "block") {
    report.error(
      "model/additive-block",
      `time features that are ${time.injection === "additive" ? "additive" : "prefix tokens"} enter before the first block, not in a block`,
      {
        pointer: `${here}/injection`,
        help: 'use "ada_ln" or "none" for a block alone',
      },
    );
    return;
  }
  if (description.part !== "model") return;
  if (time.injection === "additive" && time.at === "blocks") {
    checkInBlocks(description, report);
    return;
  }
  const width = placedWidth(description);
  const found = timeWidth(time);
  if (found === width.value) return;
  const { dims } = time.mlp;
  report.error(
    "model/time-width",
    `time features of width ${found} cannot be added to a trunk of width ${width.value}`,
    {
      pointer: dims.length > 0 ? `${here}/mlp/dims/${dims.length - 1}` : `${here}/features/dim`,
      notes: [width.note],
      help: `the last of "dims" must be ${width.value}`,
    },
  );
}

/** ada_ln modulates what a norm gives: in front of a branch to it, behind it to the residual. */
function checkAdaLn(description: Description, time: AdaLnTime, report: Report): void {
  checkAdded(description, time, report);
  for (const list of ["chunks", "branches"] as const) {
    const names: readonly string[] = time[list];
    const twice = names.findIndex((name, i) => names.indexOf(name) < i);
    if (twice >= 0)
      report.error("model/ada-ln-twice", `"${names[twice]}" is listed twice`, {
        pointer: `${here}/${list}/${twice}`,
        help: "the layer has its rows once: name each once, in their order",
      });
  }
  const output = time.at === "output";
  const fitting = output ? ["sandwich"] : ["pre", "sandwich"];
  let fits = true;
  for (const { block, pointer } of placedBlocks(description)) {
    const places = branchesOf(block, time)
      .filter((branch) => !fitting.includes(block[branch].placement))
      .map((branch) => (block[branch].placement === block.placement ? "placement" : `${branch}/placement`));
    fits &&= places.length === 0;
    for (const place of new Set(places))
      report.error(
        "model/ada-ln-placement",
        `ada_ln modulates a norm ${output ? "behind" : "in front of"} the branch, and there is none`,
        {
          pointer: `${pointer}/${place}`,
          notes: [{ message: "the injection", pointer: `${here}/${output ? "at" : "injection"}` }],
          help: output
            ? 'use the placement "sandwich" for the branches that are modulated'
            : 'use the placement "pre", or additive time features',
        },
      );
  }
  if (description.part !== "model" || !time.final || !fits) return;
  if (time.chunks.every((chunk) => chunk === "gate"))
    report.error("model/ada-ln-chunks", "the final norm takes no gate, and there is nothing else", {
      pointer: `${here}/chunks`,
      notes: [{ message: "the final norm is modulated too", pointer: `${here}/final` }],
      help: 'add "shift" or "scale", or set "final": false',
    });
  if (description.prediction_type.final_norm.kind === "none")
    report.error("model/ada-ln-final", "ada_ln modulates the final norm, and there is none", {
      pointer: `${here}/final`,
      notes: [{ message: "the final norm", pointer: "/prediction_type/final_norm" }],
      help: 'give "final_norm", or set "final": false',
    });
}

/** The branches of a block that are modulated. */
function branchesOf({ ffn }: Block, { branches }: AdaLnTime): readonly ("mixer_branch" | "ffn_branch")[] {
  return branches
    .filter((branch) => branch === "mixer" || ffn.kind !== "none")
    .map((branch) => `${branch}_branch` as const);
}

/** What is added to the trunk's input has its width; a block alone has none. */
function checkAdded(description: Description, { additive }: AdaLnTime, report: Report): void {
  const last = additive.at(-1);
  if (last === undefined) return;
  const width = placedWidth(description);
  if (description.part === "model" && last.out !== width.value)
    report.error(
      "model/time-width",
      `time features of width ${last.out} cannot be added to a trunk of width ${width.value}`,
      {
        pointer: `${here}/additive/${additive.length - 1}/out`,
        notes: [width.note],
        help: `the last of "additive" must have ${width.value}`,
      },
    );
  if (description.part === "block")
    report.error("model/additive-block", "what is added to the trunk's input enters before the first block", {
      pointer: `${here}/additive`,
      help: "leave it out for a block alone",
    });
}
