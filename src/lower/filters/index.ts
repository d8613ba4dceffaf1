// The list of filters. To add one: a schema fragment, a file here, a line here.

import type { Filter } from "../../description/description.js";
import type { GraphContext, Scope } from "../context.js";
import { lowerDampedEma } from "./damped-ema.js";
import { lowerDplr } from "./dplr.js";
import { lowerExplicit } from "./explicit.js";
import { lowerHankel } from "./hankel.js";
import { lowerImplicitMlp } from "./implicit-mlp.js";
import type { Taps } from "./layout.js";
import { lowerModal } from "./modal.js";
import { lowerMultiscale } from "./multiscale.js";
import { lowerRelativeMlp } from "./relative-mlp.js";
import { lowerShift } from "./shift.js";
import { lowerSpectrum } from "./spectrum.js";

type Lowerings = {
  readonly [K in Filter["kind"]]: (
    c: GraphContext,
    scope: Scope,
    filter: Extract<Filter, { kind: K }>,
  ) => Taps;
};

const filters: Lowerings = {
  explicit: lowerExplicit,
  implicit_mlp: lowerImplicitMlp,
  modal: lowerModal,
  dplr: lowerDplr,
  multiscale: lowerMultiscale,
  spectrum: lowerSpectrum,
  shift: lowerShift,
  relative_mlp: lowerRelativeMlp,
  hankel: lowerHankel,
  damped_ema: lowerDampedEma,
};

/** The taps of a filter, ready for long_conv. */
export function lowerFilter(c: GraphContext, scope: Scope, filter: Filter): Taps {
  // The table is typed per kind; indexing by a union forgets which.
  const lower = filters[filter.kind] as (c: GraphContext, scope: Scope, filter: Filter) => Taps;
  return c.b.at(scope.pointer, () => lower(c, scope, filter));
}
