// Rules of the matrix that noise moves tokens by.

import type { Report } from "../../support/diagnostic.js";
import type { Description } from "../description.js";

const here = "/state_space/transition";

/** Checks the transition of a matrix state. */
export function checkTransition(description: Description, report: Report): void {
  if (description.part !== "model" && description.part !== "sampler") return;
  const { state_space: state, noise_schedule: schedule } = description;
  if (state.kind !== "matrix") return;
  const { transition, vocab_size: tokens } = state;
  const notes = [{ message: "the vocabulary", pointer: "/state_space/vocab_size" }];
  switch (transition.kind) {
    case "rates":
      if (Array.isArray(transition.rates)) checkRates(transition.rates, tokens, report);
      return;
    case "nearest": {
      if (transition.neighbours >= tokens)
        report.error("model/neighbours", `a token has ${tokens - 1} others, not ${transition.neighbours}`, {
          pointer: `${here}/neighbours`,
          notes,
          help: `use less than ${tokens}`,
        });
      const { embeddings } = transition;
      if (!Array.isArray(embeddings)) return;
      const uneven = embeddings.findIndex((row) => row.length !== embeddings[0]!.length);
      if (embeddings.length !== tokens || uneven >= 0)
        report.error("model/rows", `${tokens} tokens have ${tokens} embeddings of one width`, {
          pointer: uneven >= 0 ? `${here}/embeddings/${uneven}` : `${here}/embeddings`,
          notes,
        });
      return;
    }
    case "band":
    case "gaussian":
      if (schedule.discretization.kind === "continuous")
        report.error("model/transition-steps", `${transition.kind} noise is a product over trained steps`, {
          pointer: `${here}/kind`,
          notes: [{ message: "the schedule is continuous", pointer: "/noise_schedule/discretization" }],
          help: 'give the noise schedule a discretization, or use "rates"',
        });
  }
}

/** As many rates as pairs of tokens, none negative. */
function checkRates(rates: readonly (readonly number[])[], tokens: number, report: Report): void {
  const notes = [{ message: "the vocabulary", pointer: "/state_space/vocab_size" }];
  const short = rates.findIndex((row) => row.length !== tokens);
  if (rates.length !== tokens || short >= 0)
    report.error("model/rows", `${tokens} tokens have ${tokens} rows of ${tokens} rates`, {
      pointer: short >= 0 ? `${here}/rates/${short}` : `${here}/rates`,
      notes,
    });
  for (const [i, row] of rates.entries()) {
    const negative = row.findIndex((rate, j) => j !== i && rate < 0);
    if (negative >= 0)
      report.error("model/rates", `token ${i} becomes token ${negative} at a rate of ${row[negative]}`, {
        pointer: `${here}/rates/${i}/${negative}`,
        help: "rates are not negative; the diagonal alone is not read",
      });
  }
}
