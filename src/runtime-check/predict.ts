// How far an honest implementation may be from the reference: Monte Carlo arithmetic (Parker 1997, UCLA CSD-970002;
// Denis, de Oliveira Castro and Petit 2016, "Verificarlo"). The graph is evaluated in float64 once as it is and R
// times with every result y[i] of every op replaced by
//   y[i] + e[i] xi,   e = the op's own rounding error on the target (accuracy.ts),   xi uniform in [-1, 1].
// Uniform, because that is what one correctly rounded operation does: its error is spread evenly over half an ULP
// to both sides, with variance e^2/3. What the perturbed runs deviate from the first at a value is the predicted
// error there: gains, cancellation and correlations along the graph are in it, and no constant is chosen by hand.
//
// xi is a hash of (run, op, y[i]), not a stream: equal numbers round alike in one op, so a row that was broadcast
// keeps one error instead of averaging many.
//
// Decisions (argmax and all other integers and booleans) are those of the first run, so that the prediction is
// about rounding alone; what a flipped decision does is the business of near-ties.ts.

import { evaluateOp, lastUses } from "../ir/evaluate.js";
import { type Graph, type Module, type Op, present, type Value } from "../ir/graph.js";
import type { Tensor } from "../ir/tensor.js";
import type { Accuracy } from "./accuracy.js";
import { contextOf } from "./context.js";
import { localError } from "./local-error.js";

/** Predicted error of one value. */
export interface ValuePrediction {
  /** Root mean square of the deviations, over elements and runs. */
  readonly rms: number;
  /** Root mean square over runs of the largest deviation of a run. */
  readonly largest: number;
  /**
   * How many independent numbers the error of the value is worth, k = (tr S)^2 / tr S^2 for its covariance S
   * (Welch 1947, Satterthwaite 1946): 1 when all elements err together, their number when each errs alone.
   */
  readonly degrees: number;
}

export interface Prediction {
  readonly runs: number;
  readonly values: ReadonlyMap<Value, ValuePrediction>;
  /** The reference: every value of the first run. */
  readonly reference: ReadonlyMap<Value, Tensor>;
  /** Outputs of every perturbed run, in the graph's order. */
  readonly samples: readonly (readonly Tensor[])[];
}

export interface PredictOptions {
  readonly accuracy: Accuracy;
  /** Perturbed runs; none leaves `values` empty. */
  readonly runs?: number;
  readonly seed?: number;
  /** Inputs of every perturbed run, where they carry errors already (a sampler's state); else those of the first. */
  readonly perturbedInputs?: readonly (readonly Tensor[])[];
}

export const defaultRuns = 5;

/** Evaluates a graph without calls on inputs in its order, with its perturbed runs side by side. */
export function predict(
  module: Module,
  graph: Graph,
  inputs: readonly Tensor[],
  { accuracy, runs = defaultRuns, seed = 0, perturbedInputs }: PredictOptions,
): Prediction {
  const context = contextOf(module, graph, inputs);
  const reference = new Map<Value, Tensor>();
  const perturbed = Array.from({ length: runs }, () => new Map<Value, Tensor>());
  const values = new Map<Value, ValuePrediction>();
  graph.inputs.forEach((value, i) => {
    reference.set(value, inputs[i]!);
    perturbed.forEach((run, r) => {
      run.set(value, perturbedInputs?.[r]?.[i] ?? inputs[i]!);
    });
  });
  const errors = (op: Op, operands: Operands, results: readonly Tensor[]): (Float64Array | undefined)[] => {
    if (op.name === "weight" && exactWeights.has(results[0]!.data)) return [];
    const sizes = localError(op, operands, results, accuracy);
    const rounds = sizes.map((size) => (size.some((e) => e > 0) ? size : undefined));
    if (op.name === "weight" && rounds[0] === undefined) exactWeights.add(results[0]!.data);
    return rounds;
  };
  const last = lastUses(graph);
  graph.ops.forEach((op, at) => {
    const operands = operandsIn(reference, op);
    const results = evaluateOp(op, operands, context);
    op.results.forEach((value, i) => {
      reference.set(value, results[i]!);
    });
    if (runs === 0) return;
    const own = errors(op, operands, results);
    const decisions = results.every(isDecision);
    const samples = perturbed.map((run, r) => {
      const given = operandsIn(run, op);
      // Runs differ from the reference only where something upstream rounds, and decisions are the first run's.
      const same = decisions || given.every((t, i) => t === operands[i]);
      const computed = same ? results : evaluateOp(op, given, context);
      return computed.map((y, i) => {
        const exact = results[i]!;
        if (isDecision(exact)) return exact;
        return own[i] === undefined ? y : perturb(y, exact, own[i], hash(seed, r, at, i));
      });
    });
    op.results.forEach((value, i) => {
      samples.forEach((sample, r) => {
        perturbed[r]!.set(value, sample[i]!);
      });
      values.set(
        value,
        summarise(
          results[i]!,
          samples.map((sample) => sample[i]!),
        ),
      );
    });
    for (const value of present(op))
      if (last.get(value) === at) for (const run of perturbed) run.delete(value);
  });
  const samples = perturbed.map((run) => graph.outputs.map((value) => run.get(value)!));
  return { runs, values, reference, samples };
}

/** Weights that their format holds exactly: known once, for as long as whoever reads them keeps them. */
const exactWeights = new WeakSet<Float64Array>();

type Operands = readonly (Tensor | undefined)[];

function isDecision({ element }: Tensor): boolean {
  return element === "i32" || element === "bool";
}

function operandsIn(values: ReadonlyMap<Value, Tensor>, op: Op): Operands {
  return op.operands.map((v) => (v === undefined ? undefined : values.get(v)!));
}

const bits = new Uint32Array(2);
const number = new Float64Array(bits.buffer);

/** y + e xi, with xi from the bits of the unperturbed result. */
function perturb(y: Tensor, exact: Tensor, sizes: Float64Array, key: number): Tensor {
  const data = new Float64Array(y.data.length);
  for (let i = 0; i < data.length; i++) {
    const e = sizes[i]!;
    number[0] = exact.data[i]!;
    const draw = hash(key, bits[0]!, bits[1]!, 0);
    // An error model is no number where the result is none.
    data[i] = e > 0 && e < Number.POSITIVE_INFINITY ? y.data[i]! + e * (draw * 2 ** -31 - 1) : y.data[i]!;
  }
  return { ...y, data };
}

/** 32 bits from four words, by the finaliser of MurmurHash3 after each. */
function hash(a: number, b: number, c: number, d: number): number {
  let h = mix(a ^ 0x9e3779b9);
  h = mix(h ^ b);
  h = mix(h ^ c);
  return mix(h ^ d) >>> 0;
}

function mix(x: number): number {
  let h = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) + 0x9e3779b9;
}

/**
 * With G[r, s] the inner product of the deviations of runs r and s, E G[r, r] = tr S and, for r != s,
 * E G[r, s]^2 = tr S^2 (the pairs' estimator of Bai and Saranadasa 1996). The largest pair is taken, not the mean:
 * k comes out too small rather than too large, and a tolerance too wide rather than too narrow.
 */
function summarise(exact: Tensor, samples: readonly Tensor[]): ValuePrediction {
  const n = exact.data.length;
  const deviations = samples.map((sample) => {
    if (sample.data === exact.data) return undefined;
    const deviation = new Float64Array(n);
    for (let i = 0; i < n; i++) {
      const d = sample.data[i]! - exact.data[i]!;
      deviation[i] = Number.isFinite(d) ? d : 0;
    }
    return deviation;
  });
  let squares = 0;
  let largest = 0;
  let alignment = 0;
  deviations.forEach((a, r) => {
    if (a === undefined) return;
    const own = dot(a, a);
    squares += own;
    largest += a.reduce((m, d) => Math.max(m, Math.abs(d)), 0) ** 2;
    for (const b of deviations.slice(0, r)) {
      if (b === undefined || own === 0) continue;
      const other = dot(b, b);
      if (other > 0) alignment = Math.max(alignment, dot(a, b) ** 2 / (own * other));
    }
  });
  return {
    rms: Math.sqrt(squares / Math.max(1, n * samples.length)),
    largest: Math.sqrt(largest / samples.length),
    degrees: alignment > 0 ? Math.min(n, Math.max(1, 1 / alignment)) : Math.max(1, n),
  };
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}
