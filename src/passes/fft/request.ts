// Reads a long_conv op the way the planner wants it.

import type { ConvolutionRequest } from "../../ir/fft/cost.js";
import type { Op, Value } from "../../ir/graph.js";
import { definitionOf } from "../../ir/ops/index.js";

/** A long convolution whose extents are all bound, so that a length can be chosen for it. */
export interface BoundConvolution {
  readonly request: ConvolutionRequest;
  readonly taps: number;
  readonly lag0: number;
  /** The modulus pad-fft chose; 0 when none is chosen yet. */
  readonly points: number;
}

/** The op as a request for `batch` rows, or undefined while its length, width or taps are free, or it sees by blocks. */
export function boundConvolution(op: Op, batch: number): BoundConvolution | undefined {
  const [x, k] = op.operands as readonly [Value, Value];
  const [, length, channels] = x.type.shape.map((extent) => extent.value);
  const [taps, groups] = k.type.shape.map((extent) => extent.value);
  const points = (op.attributes.length as { value?: number | undefined }).value;
  if (!length || !channels || !taps || !groups || points === undefined) return undefined;
  // expand-blocks has not run.
  if (op.attributes.block !== 0) return undefined;
  const lag0 = op.attributes.lag0 as number;
  const lags = { minLag: 0 - lag0, maxLag: taps - 1 - lag0, circular: op.attributes.circular as boolean };
  // Blocks that became rows: there are several of each text.
  const rows = x.type.shape[0]!.bind(new Map([["B", batch]])).value;
  const lines = x.type.shape[0]!.value === undefined ? (rows ?? batch) : batch;
  return { request: { length, channels, groups, batch: lines, ...lags }, taps, lag0, points };
}

/** Whether a value depends on no graph input, so that it can be computed when the model is built. */
export function isConstant(value: Value, producer: (value: Value) => Op | undefined): boolean {
  const known = new Map<Value, boolean>();
  const visit = (v: Value): boolean => {
    const seen = known.get(v);
    if (seen !== undefined) return seen;
    const op = producer(v);
    const answer =
      op !== undefined &&
      op.name !== "call" &&
      (definitionOf(op.name)?.fusion === "constant" ||
        (op.operands.length > 0 && op.operands.every((operand) => operand === undefined || visit(operand))));
    known.set(v, answer);
    return answer;
  };
  return visit(value);
}
