// The loop of discrete states in the form that all loops share.

import { tokenPlanOf } from "../../diffusion/plans.js";
import { fail } from "../../support/diagnostic.js";
import { tokenRunnerOf } from "../any-runner.js";
import type { Loop } from "../token-state.js";
import type { Decoders } from "./decoder.js";
import { decodeWith } from "./driver.js";
import type { OpenViews } from "./views.js";

/** The loop of discrete states with these decoders and views. */
export const tokenLoop = (decoders: Decoders, openViews: OpenViews): Loop => ({
  async *generate(runner, { plan, noise, ...rest }) {
    if (typeof noise === "function" || (typeof noise === "object" && "normal" in noise))
      fail("generate/noise-kind", "Gaussian noise for a model of tokens", { help: "give a seed" });
    const options = { ...rest, plan: tokenPlanOf(plan), ...(noise === undefined ? {} : { noise }) };
    for await (const { point, ...state } of decodeWith(decoders, tokenRunnerOf(runner), options, openViews))
      yield point === undefined ? state : { ...state, row: point };
  },
});
