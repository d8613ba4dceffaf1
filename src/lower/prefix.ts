// Tokens before the sequence: what they tell reaches the positions by attention alone (ELF's in-context conditioning).

import type { Embedding } from "../description/description.js";
import { dim } from "../ir/dim.js";
import type { Value } from "../ir/graph.js";
import { child, type GraphContext, type Scope } from "./context.js";
import { lastExtent } from "./layers.js";
import { numberTokens, type Time } from "./time.js";

/** Groups f32[B, tokens, width] in their order, those of the time first. `reading`: tokens are read by this call. */
export function lowerPrefix(
  c: GraphContext,
  groups: Embedding["prefix"],
  input: Value,
  time: Time,
  reading: boolean,
): readonly Value[] {
  const { b, lowering } = c;
  const width = lastExtent(input);
  const perText = (tokens: Value, count: number): Value =>
    b.emit("broadcast", { x: tokens }, { shape: [lowering.batch, dim(count), dim(width)] });
  const told =
    time.kind === "prefix"
      ? [b.at("/time_conditioning", () => perText(time.tokens, time.tokens.type.shape[1]!.value!))]
      : [];
  const described = groups.map((group, k): Value => {
    const scope: Scope = child(
      { name: "embedding.prefix.", pointer: "/embedding/prefix" },
      String(k),
      `/${k}`,
    );
    return b.at(scope.pointer, () => {
      if (group.kind === "number") return perText(numberTokens(c, scope, group), group.tokens);
      const active = group.active === "always" || (group.active === "round" && reading);
      const tokens = active
        ? c.parameter(scope, "tokens", [group.tokens, width], "positions")
        : b.emit("literal", {}, { values: [0], shape: [dim(1)] });
      return perText(tokens, group.tokens);
    });
  });
  return [...told, ...described];
}

/** The positions of the sequence alone. */
export function withoutPrefix(c: GraphContext, h: Value, prefix: readonly Value[]): Value {
  if (prefix.length === 0) return h;
  const start = prefix.reduce((sum, { type }) => sum + type.shape[1]!.value!, 0);
  return c.b.emit("slice", { x: h }, { axis: 1, start: dim(start), length: c.lowering.length }, "positions");
}
