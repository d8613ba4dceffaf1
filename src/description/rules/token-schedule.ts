// Rules of a schedule per token: as many numbers as tokens, of the sign that the formula takes.

import type { Report } from "../../support/diagnostic.js";
import type { Description } from "../description.js";

const here = "/state_space/token_schedule";

/** Checks the schedule per token of an absorbing state. */
export function checkTokenSchedule(description: Description, report: Report): void {
  if (description.part !== "model" && description.part !== "sampler") return;
  const { state_space: state } = description;
  if (state.kind !== "absorbing" || state.token_schedule === undefined) return;
  const { token_schedule: schedule, vocab_size: tokens, mask_token_id: mask } = state;
  const refuse = (pointer: string, message: string, help: string): void =>
    report.error("model/token-schedule", message, {
      pointer: `${here}/${pointer}`,
      notes: [{ message: "the vocabulary, mask included", pointer: "/state_space/vocab_size" }],
      help,
    });
  if (schedule.kind === "exponents") {
    const { exponents, positive } = schedule;
    if (!Array.isArray(exponents)) return;
    if (exponents.length !== tokens - 1)
      refuse(
        "exponents",
        `${tokens} tokens with the mask have ${tokens - 1} exponents, not ${exponents.length}`,
        "list one for every token but the mask",
      );
    const at = positive === "none" ? exponents.findIndex((w) => !(w > 0)) : -1;
    if (at >= 0)
      refuse(
        `exponents/${at}`,
        `the exponent ${exponents[at]} is not positive`,
        'use "positive": "softplus" where they may have any sign',
      );
    return;
  }
  const { information, deviation } = schedule;
  if (!Array.isArray(information)) return;
  if (information.length !== tokens)
    refuse(
      "information",
      `${tokens} tokens have ${tokens} numbers, not ${information.length}`,
      "list one for every token; the mask's is not read",
    );
  const at = deviation === "ratio" ? information.findIndex((h, v) => v !== mask && !(h > 0)) : -1;
  if (at >= 0)
    refuse(
      `information/${at}`,
      `the mean is divided by the information ${information[at]}`,
      'use positive numbers, or "deviation": "difference"',
    );
}
