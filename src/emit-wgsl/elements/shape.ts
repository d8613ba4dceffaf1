// The same numbers elsewhere, as index arithmetic: no view costs a pass over memory of its own.

import type { Dim } from "../../ir/dim.js";
import type { Op, Value } from "../../ir/graph.js";
import type { ElementContext, ElementRules } from "../element-rule.js";
import type { Source } from "../kernel.js";
import { registerType } from "../literals.js";
import { axesPlace, type Place, plus, reshaped } from "../place.js";

/** The place in an operand of `shape` with one axis replaced. */
function moved(place: Place, shape: readonly number[], axis: number, index: string): Place {
  return axesPlace(
    shape,
    shape.map((_, k) => (k === axis ? index : place.axis(k))),
    place.lanes,
  );
}

/** Whether four neighbours of the op's result are four neighbours of an operand, from a multiple of four on. */
export function keepsNeighbours({ name, operands, attributes }: Op): boolean {
  const inFours = (value: Value | undefined): boolean => (value?.type.shape.at(-1)?.value ?? 1) % 4 === 0;
  const rank = operands[0]?.type.shape.length ?? 0;
  const alongLast = attributes.axis === rank - 1;
  if (name === "concat") return operands.every(inFours);
  if (name === "broadcast") return true;
  if (!inFours(operands[0])) return false;
  if (name === "reshape") return true;
  if (name === "take") return rank > 1;
  if (name === "reverse") return !alongLast;
  return name === "slice" && (!alongLast || (attributes.start as Dim).value! % 4 === 0);
}

/** `inside ? x at place : 0` without reading outside x. */
function guarded(x: Source, place: Place, inside: string, { writer }: ElementContext): string {
  const value = writer.zero("padded", registerType(x.element));
  writer.block(`if (${inside})`, () => writer.line(`${value} = ${x.load(place)};`));
  return value;
}

export const shapes = {
  reshape: ({ x }, _, { place }) => x.load(reshaped(place, x.shape)),
  broadcast: ({ x }, _, { place }) => x.load(place),
  transpose({ x }, { permutation }, { place }) {
    const axes = new Array<string>(permutation.length);
    permutation.forEach((from, to) => {
      axes[from] = place.axis(to);
    });
    // Four neighbours come here only behind the anchor, where the sink has them stay neighbours.
    const last = permutation.length - 1;
    return x.load(axesPlace(x.shape, axes, permutation[last] === last ? place.lanes : 1));
  },
  slice: ({ x }, { axis, start }, { place }) =>
    x.load(moved(place, x.shape, axis, plus(place.axis(axis), `${start.value}u`))),
  reverse: ({ x }, { axis }, { place }) =>
    x.load(moved(place, x.shape, axis, `${x.shape[axis]! - 1}u - (${place.axis(axis)})`)),
  pad({ x }, { axis, before }, context) {
    const { place, writer } = context;
    // Below `before` the difference wraps to a large u32, so one comparison tests both ends.
    const index = writer.bind(`${place.axis(axis)} - ${before.value}u`, "from");
    return guarded(x, moved(place, x.shape, axis, index), `${index} < ${x.shape[axis]}u`, context);
  },
  concat({ xs }, { axis }, { writer, place, result }) {
    const value = writer.zero("joined", registerType(result.element, place.lanes));
    const index = writer.bind(place.axis(axis), "along");
    let before = 0;
    xs.forEach((x, k) => {
      const end = before + x.shape[axis]!;
      const from = before === 0 ? index : `${index} - ${before}u`;
      const head = `${k === 0 ? "" : "else "}${k === xs.length - 1 ? "" : `if (${index} < ${end}u)`}`.trim();
      writer.block(head, () => writer.line(`${value} = ${x.load(moved(place, x.shape, axis, from))};`));
      before = end;
    });
    return value;
  },
  /** Indices outside the table are clamped: a token of another vocabulary reads some row, never past the buffer. */
  take({ table, indices }, _, { writer, place, result }) {
    const depth = indices.shape.length;
    const index = indices.load(
      axesPlace(
        indices.shape,
        indices.shape.map((_n, k) => place.axis(k)),
      ),
    );
    const row = writer.bind(`u32(clamp(${index}, 0i, ${table.shape[0]! - 1}i))`, "row");
    const rest = result.shape.slice(depth).map((_n, k) => place.axis(depth + k));
    return table.load(axesPlace(table.shape, [row, ...rest], place.lanes));
  },
} satisfies ElementRules;
