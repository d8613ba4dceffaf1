// What a rule for one element is: the type of the table in elements/.

import type { AttributeValues, Operands, OpName } from "../ir/ops/index.js";
import type { Shaped, Source } from "./kernel.js";
import type { Place } from "./place.js";
import type { KernelWriter } from "./writer.js";

/** What a rule may ask besides its operands and attributes. */
export interface ElementContext {
  readonly writer: KernelWriter;
  /** Where in the op's result. */
  readonly place: Place;
  readonly result: Shaped;
  /** What the result is called. */
  readonly hint: string;
  /** A real number as a literal of the place's lanes. */
  number(value: number): string;
}

/** The WGSL expression of one element (or four) of an op's result. Operands broadcast to the place they are loaded at. */
export type ElementRule<N extends OpName> = (
  operands: Operands<N, Source>,
  attributes: AttributeValues<N>,
  context: ElementContext,
) => string;

/** A table of rules by op name. */
export type ElementRules = { readonly [N in OpName]?: ElementRule<N> };
