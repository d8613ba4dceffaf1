// The registry: the one list of ops. Order is the order of documentation.

import type { AttributesIn, AttributesOf, OpDefinition, OperandsOf } from "../op.js";
import { attention, rope } from "./attention.js";
import { call } from "./call.js";
import { constant, iota, literal, weight } from "./constant.js";
import { longConv } from "./conv.js";
import { depthwiseConv } from "./depthwise-conv.js";
import { dftMatrix } from "./dft-matrix.js";
import { affineStep, nearestRow } from "./diffusion.js";
import * as elementwise from "./elementwise.js";
import { fftMatrix, fftSpectrum, irfft, rfft } from "./fft.js";
import { fftConv } from "./fft-conv.js";
import { linear, matmul } from "./matmul.js";
import { l2Normalize, layerNorm, rmsNorm } from "./norm.js";
import { argmax, reduceMax, reduceMean, reduceSum, softmax } from "./reduce.js";
import { broadcast, concat, pad, reshape, reverse, slice, take, transpose } from "./shape.js";
import { topMask } from "./top-mask.js";

export const ops = {
  weight,
  constant,
  literal,
  iota,
  neg: elementwise.neg,
  abs: elementwise.abs,
  exp: elementwise.exp,
  log: elementwise.log,
  sqrt: elementwise.sqrt,
  rsqrt: elementwise.rsqrt,
  sin: elementwise.sin,
  cos: elementwise.cos,
  tanh: elementwise.tanh,
  erf: elementwise.erfOp,
  sigmoid: elementwise.sigmoidOp,
  softplus: elementwise.softplusOp,
  relu: elementwise.relu,
  silu: elementwise.silu,
  gelu: elementwise.gelu,
  scale: elementwise.scale,
  add: elementwise.add,
  sub: elementwise.sub,
  mul: elementwise.mul,
  div: elementwise.div,
  maximum: elementwise.maximum,
  minimum: elementwise.minimum,
  equal: elementwise.equal,
  less: elementwise.less,
  where: elementwise.where,
  cast: elementwise.cast,
  reduce_sum: reduceSum,
  reduce_mean: reduceMean,
  reduce_max: reduceMax,
  argmax,
  top_mask: topMask,
  softmax,
  reshape,
  transpose,
  broadcast,
  slice,
  concat,
  pad,
  reverse,
  take,
  matmul,
  linear,
  layer_norm: layerNorm,
  rms_norm: rmsNorm,
  l2_normalize: l2Normalize,
  attention,
  rope,
  long_conv: longConv,
  depthwise_conv: depthwiseConv,
  fft_matrix: fftMatrix,
  fft_spectrum: fftSpectrum,
  fft_conv: fftConv,
  dft_matrix: dftMatrix,
  rfft,
  irfft,
  affine_step: affineStep,
  nearest_row: nearestRow,
  call,
} as const;

export type OpName = keyof typeof ops;
type Definition<N extends OpName> = (typeof ops)[N];
/** Operands of an op by name, each a T. */
export type Operands<N extends OpName, T> =
  Definition<N> extends OpDefinition<infer O, infer _> ? OperandsOf<O, T> : never;
/** Attributes of an op, all present. */
export type AttributeValues<N extends OpName> =
  Definition<N> extends OpDefinition<infer _, infer A> ? AttributesOf<A> : never;
/** Attributes of an op as a builder takes them: those with a default may be left out. */
export type AttributeInputs<N extends OpName> =
  Definition<N> extends OpDefinition<infer _, infer A> ? AttributesIn<A> : never;

/**
 * The definition under a name known only at run time. TypeScript cannot relate `ops[name]` to its own operands,
 * so this one place forgets the literal types; build.ts and the back-end tables restore them at their edges.
 */
export function definitionOf(name: string): OpDefinition | undefined {
  return Object.hasOwn(ops, name) ? (ops as unknown as Record<string, OpDefinition>)[name] : undefined;
}
