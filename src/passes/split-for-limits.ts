// What one binding or one kernel cannot take is cut along rows, where the op has rows:
//
//   concat(x_1 .. x_n)        = concat(concat(x_1 .. x_m), ..)             more operands than buffers
//   linear(x, [W_1; W_2])     = concat(linear(x, W_1), linear(x, W_2))     a weight larger than a binding
//   take([T_1; T_2], i)       = where(i < n_1, take(T_1, i), take(T_2, i - n_1))
//   matmul(a, [B_1; B_2])     = matmul(a_1, B_1) + matmul(a_2, B_2)
//
// The parts of a weight are slices that lie where they lie: a binding with an offset, no copy.

import { dim } from "../ir/dim.js";
import type { Value } from "../ir/graph.js";
import { bindingAlignment } from "../ir/part.js";
import { type Rewriter, type Rule, rewriteModule, rule } from "../ir/rewrite.js";
import { numbersPer } from "../ir/tensor.js";
import { sliced } from "./fft/view.js";
import type { Pass } from "./pass.js";

/** Limits of a device, in bytes and bindings. */
export interface DeviceLimits {
  readonly maxStorageBufferBindingSize: number;
  readonly maxBufferSize: number;
  readonly maxStorageBuffersPerShaderStage: number;
}

/** What every WebGPU device has (WebGPU, section 3.6.2 "limits", column default). */
export const defaultDeviceLimits: DeviceLimits = {
  maxStorageBufferBindingSize: 128 * 1024 * 1024,
  maxBufferSize: 256 * 1024 * 1024,
  maxStorageBuffersPerShaderStage: 8,
};

export function splitForLimits(limits: DeviceLimits = defaultDeviceLimits): Pass {
  return {
    name: "split-for-limits",
    summary: "cut what a device cannot bind at once along its rows",
    run: (module) => rewriteModule(module, "split-for-limits", rulesFor(limits)),
  };
}

function rulesFor(limits: DeviceLimits): readonly Rule[] {
  const most = limits.maxStorageBuffersPerShaderStage - 1;
  const parts = (b: Rewriter, value: Value): Part[] | undefined => {
    const maker = b.producer(value);
    if (maker?.name === "weight") return rowParts(b, value, limits);
    // Halves are widened part by part.
    if (maker?.name !== "cast" || b.producer(maker.operands[0]!)?.name !== "weight") return undefined;
    return rowParts(b, maker.operands[0]!, limits)?.map((part) => ({
      ...part,
      value: b.emit("cast", { x: part.value }, { to: value.type.element as "f32" }),
    }));
  };
  return [
    rule("concat", ({ xs }, { axis }, b) => {
      if (xs.length <= most) return undefined;
      let level: readonly Value[] = xs;
      while (level.length > most) level = chunked(level, most).map((group) => joined(b, group, axis));
      return [joined(b, level, axis)];
    }),
    rule("linear", ({ x, weight, bias }, _, b) => {
      const rows = parts(b, weight);
      if (rows === undefined) return undefined;
      const results = rows.map(({ value, start, count }) =>
        b.emit("linear", { x, weight: value, bias: bias && sliced(b, bias, 0, start, count) }, {}),
      );
      return [joined(b, results, x.type.shape.length - 1)];
    }),
    rule("take", ({ table, indices }, _, b) => {
      const rows = parts(b, table);
      if (rows === undefined) return undefined;
      const integer = (value: number): Value => b.emit("constant", {}, { value, element: "i32" });
      const lookups = rows.map(({ value, start, count }) => {
        const from = start === 0 ? indices : b.emit("sub", { a: indices, b: integer(start) }, {});
        const low = b.emit("maximum", { a: from, b: integer(0) }, {});
        const within = b.emit("minimum", { a: low, b: integer(count - 1) }, {});
        return b.emit("take", { table: value, indices: within }, {});
      });
      const mask = (end: number): Value => {
        const before = b.emit("less", { a: indices, b: integer(end) }, {});
        const shape = [...indices.type.shape, ...table.type.shape.slice(1).map(() => dim(1))];
        return b.emit("reshape", { x: before }, { shape });
      };
      return [
        lookups.reduceRight((rest, lookup, i) =>
          b.emit("where", { condition: mask(rows[i]!.start + rows[i]!.count), a: lookup, b: rest }, {}),
        ),
      ];
    }),
    rule("matmul", ({ a, b: right }, { transpose_b }, b) => {
      const rows = transpose_b || right.type.shape.length !== 2 ? undefined : parts(b, right);
      if (rows === undefined) return undefined;
      const last = a.type.shape.length - 1;
      const products = rows.map(({ value, start, count }) =>
        b.emit("matmul", { a: sliced(b, a, last, start, count), b: value }, {}),
      );
      return [products.reduce((sum, product) => b.emit("add", { a: sum, b: product }, {}))];
    }),
  ];
}

interface Part {
  readonly value: Value;
  readonly start: number;
  readonly count: number;
}

/** A weight's rows in parts that can be bound; undefined when it can be whole, or has no rows. */
function rowParts(b: Rewriter, value: Value, limits: DeviceLimits): Part[] | undefined {
  const { shape, element } = value.type;
  const extents = shape.map((extent) => extent.value!);
  const bytes = (n: number): number => n * (element === "f16" ? 2 : 4 * numbersPer(element));
  const row = bytes(extents.slice(1).reduce((n, extent) => n * extent, 1));
  const [rows] = extents;
  if (rows === undefined || row * rows <= limits.maxStorageBufferBindingSize) return undefined;
  // Parts start where an offset may: every multiple of 256 rows is one.
  const count = Math.floor(limits.maxStorageBufferBindingSize / row / bindingAlignment) * bindingAlignment;
  if (count === 0) return undefined;
  return chunked(
    Array.from({ length: rows }, (_, i) => i),
    count,
  ).map((numbers) => ({
    value: sliced(b, value, 0, numbers[0]!, numbers.length),
    start: numbers[0]!,
    count: numbers.length,
  }));
}

function chunked<T>(list: readonly T[], most: number): readonly (readonly T[])[] {
  return Array.from({ length: Math.ceil(list.length / most) }, (_, i) =>
    list.slice(i * most, (i + 1) * most),
  );
}

function joined(b: Rewriter, xs: readonly Value[], axis: number): Value {
  return xs.length === 1 ? xs[0]! : b.emit("concat", { xs }, { axis });
}
