// Which element: a place in a shape, as WGSL u32 expressions. Expressions are made when asked for, so a
// broadcast operand costs only the axes it has.

import { count, strides } from "../ir/tensor.js";

export interface Place {
  readonly shape: readonly number[];
  /** 4: this element and the next three along the last axis. */
  readonly lanes: 1 | 4;
  /** Row-major number of the element. */
  flat(): string;
  /** Index along one axis. */
  axis(k: number): string;
}

/** Wraps an expression that is not one token, so that it can be an operand. */
export function operand(text: string): string {
  return /^[\w.]+(\[[^[\]]*\])*$/.test(text) || /^\w+\([^()]*\)$/.test(text) ? text : `(${text})`;
}

export function plus(...terms: readonly string[]): string {
  const kept = terms.filter((t) => t !== "0u");
  const first = kept[0] ?? "0u";
  return kept.length < 2 ? first : kept.map(sumTerm).join(" + ");
}

export function times(text: string, factor: number): string {
  if (factor === 0 || text === "0u") return "0u";
  if (factor === 1) return text;
  return /^\d+u$/.test(text) ? `${Number.parseInt(text, 10) * factor}u` : `${operand(text)} * ${factor}u`;
}

export function divided(text: string, divisor: number): string {
  return divisor === 1 || text === "0u" ? text : `${operand(text)} / ${divisor}u`;
}

export function modulo(text: string, divisor: number): string {
  return divisor === 1 || text === "0u" ? "0u" : `${operand(text)} % ${divisor}u`;
}

/** The place whose row-major number is `flat`. */
export function flatPlace(shape: readonly number[], flat: string, lanes: 1 | 4 = 1): Place {
  const step = strides(shape);
  return {
    shape,
    lanes,
    flat: () => flat,
    axis(k) {
      if (shape[k] === 1) return "0u";
      const above = count(shape.slice(0, k));
      const quotient = divided(flat, step[k]!);
      return above === 1 ? quotient : modulo(quotient, shape[k]!);
    },
  };
}

/** The place with these indices, one per axis. */
export function axesPlace(shape: readonly number[], axes: readonly string[], lanes: 1 | 4 = 1): Place {
  const step = strides(shape);
  return {
    shape,
    lanes,
    flat: () => plus(...axes.map((text, k) => times(text, shape[k] === 1 ? 0 : step[k]!))),
    axis: (k) => (shape[k] === 1 ? "0u" : axes[k]!),
  };
}

/** The place (row, column) of a shape seen as [product of leading extents, last extent]. */
export function rowPlace(shape: readonly number[], row: string, column: string, lanes: 1 | 4 = 1): Place {
  const last = shape.length - 1;
  const width = shape[last] ?? 1;
  const leading = flatPlace(shape.slice(0, -1), row);
  return {
    shape,
    lanes,
    flat: () => plus(times(row, width), width === 1 ? "0u" : column),
    axis: (k) => (k === last ? (width === 1 ? "0u" : column) : leading.axis(k)),
  };
}

/** The same element number under another shape of as many elements (reshape). */
export function reshaped(place: Place, shape: readonly number[]): Place {
  const widthKept = shape[shape.length - 1] === place.shape[place.shape.length - 1];
  return widthKept && place.shape.length > 1
    ? {
        ...flatPlace(shape, place.flat(), place.lanes),
        axis: (k) =>
          k === shape.length - 1
            ? place.axis(place.shape.length - 1)
            : flatPlace(shape, place.flat()).axis(k),
      }
    : flatPlace(shape, place.flat(), place.lanes);
}

/** Where an operand of `shape`, broadcast to the place's shape, is read: axes of extent 1 stay at 0. */
export function projected(place: Place, shape: readonly number[]): Place {
  if (shape.length === place.shape.length && shape.every((n, k) => n === place.shape[k])) return place;
  const shift = place.shape.length - shape.length;
  const lastKept = (shape[shape.length - 1] ?? 1) === place.shape[place.shape.length - 1];
  return axesPlace(
    shape,
    shape.map((n, k) => (n === 1 ? "0u" : place.axis(k + shift))),
    lastKept && shape.length > 0 ? place.lanes : 1,
  );
}

/** Lane j of a place with four lanes: a place with one. */
export function lanePlace(place: Place, j: number): Place {
  const last = place.shape.length - 1;
  const axes = place.shape.map((_, k) => (k === last ? plus(place.axis(k), `${j}u`) : place.axis(k)));
  return { ...axesPlace(place.shape, axes), flat: () => plus(place.flat(), `${j}u`) };
}

/** Sums bind looser than products, tighter than shifts and comparisons. */
function sumTerm(text: string): string {
  return /[<>&|^]/.test(text) ? `(${text})` : text;
}
