// Explicit filters: the taps are parameters, [length, groups] (two lengths for full_2l).

import type { ExplicitFilter } from "../../description/description.js";
import type { GraphContext, Scope } from "../context.js";
import { arrange, type Taps } from "./layout.js";

export function lowerExplicit(c: GraphContext, scope: Scope, filter: ExplicitFilter): Taps {
  const rows = filter.reverse_filter === "full_2l" ? 2 * filter.length : filter.length;
  const forward = c.parameter(scope, "taps", [rows, filter.groups], "taps");
  const twin =
    filter.span === "bidirectional" &&
    (filter.reverse_filter === "offset_lag1" || filter.reverse_filter === "shared_lag0");
  const reverse = twin
    ? c.parameter(scope, "reverse.taps", [filter.length, filter.groups], "taps")
    : undefined;
  return arrange(c, filter, forward, reverse);
}
