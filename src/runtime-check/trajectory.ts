// A whole generation: all steps of @step with the same noise for the reference and the candidate.
//   teacher-forced   every step is fed the reference's state: a step's own error, and its flipped tokens
//   free-running     the candidate is fed its own state: how errors grow, and where the first token flips
// Both are measured against predictions from perturbed runs, of the step alone and of the whole loop. Once a near
// tie has flipped something that the state depends on, the two go different, equally good ways; what follows is
// shown and not judged.

import { seededNoise } from "../diffusion/normal.js";
import type { SamplerPlan, SamplerRow } from "../diffusion/plan.js";
import type { Graph, Module, Value } from "../ir/graph.js";
import { type Tensor, tensor } from "../ir/tensor.js";
import { fail } from "../support/diagnostic.js";
import type { Candidate } from "./candidate.js";
import { flatten } from "./flatten.js";
import { stored } from "./isolate.js";
import { isNearTie } from "./near-ties.js";
import { defaultRuns, type Prediction, type PredictOptions, predict } from "./predict.js";
import { predictedFactors } from "./tolerance.js";
import { judge, predictedAllowance, type Status } from "./verdict.js";

/** One step seen from one side. */
export interface StepCheck {
  readonly status: Status;
  /** Largest error of the new state, and the largest predicted for it. */
  readonly error: number;
  readonly predicted: number;
  /** measured / allowed over state, prediction and tokens. */
  readonly strain: number;
  /** Tokens that differ, and how many of them are near ties. */
  readonly flips: number;
  readonly nearTies: number;
}

export interface TrajectoryStep {
  readonly step: number;
  readonly level: number;
  readonly forced: StepCheck;
  readonly free: StepCheck;
}

/** The first token that came out differently in the free-running generation. */
export interface FirstFlip {
  readonly step: number;
  /** Row of the batch and position. */
  readonly row: number;
  readonly position: number;
  readonly expected: number;
  readonly actual: number;
  /** Margin of the reference's logits, and up to where margins are near ties. */
  readonly margin: number;
  readonly allowed: number;
}

export interface TrajectoryReport {
  readonly agrees: boolean;
  readonly steps: readonly TrajectoryStep[];
  readonly firstFlip?: FirstFlip;
}

export interface TrajectoryOptions {
  readonly plan: Pick<SamplerPlan, "rows" | "initialNoiseScale">;
  readonly batch?: number;
  readonly seed?: number;
  readonly runs?: number;
  readonly falseAlarm?: number;
}

type State = Readonly<Record<string, Tensor>>;

/** Runs the plan. Needs @step; inputs of @step that @time makes are taken from there. */
export async function checkTrajectory(
  module: Module,
  candidate: Candidate,
  { plan, batch = 1, seed = 0, runs = defaultRuns, falseAlarm = 1e-4 }: TrajectoryOptions,
): Promise<TrajectoryReport> {
  if (!module.graphs.some((graph) => graph.name === "step"))
    fail("check/no-step", "a trajectory needs the graph @step, which this module lacks", {
      help: "compile a whole model, not a part of one",
    });
  const graph = flatten(module, "step");
  const x = graph.inputs.find((v) => v.hint === "x")!;
  const [, length, dim] = x.type.shape.map((extent) => extent.value ?? batch) as [number, number, number];
  const draws = seededNoise(seed, batch, length, dim);
  const noise = (draw: number): Tensor => tensor("f32", [batch, length, dim], Float64Array.from(draws(draw)));
  const silence = tensor("f32", [batch, length, dim]);
  // Two graphs' worth of values per step, each with two measures, forced and free.
  const alpha = falseAlarm / Math.max(1, plan.rows.length * graph.outputs.length * 4);

  const start = noise(0);
  const initial: State = {
    x: stored({ ...start, data: start.data.map((v) => plan.initialNoiseScale * v) }),
    x0: silence,
  };
  let reference = initial;
  let perturbed: State[] = Array.from({ length: runs }, () => initial);
  let own = initial;
  let parted = false;
  let firstFlip: FirstFlip | undefined;
  const steps: TrajectoryStep[] = [];
  for (const row of plan.rows) {
    const options = { accuracy: candidate.accuracy, runs, seed: seed + row.step };
    const supplied = await supply(module, candidate, row, options);
    const update = row.s === 0 ? silence : noise(row.step + 1);
    const feed = (state: State, time: State | undefined): Tensor[] =>
      graph.inputs.map((value) => time?.[value.hint ?? ""] ?? inputOf(value, state, row, update, batch));

    const given = feed(reference, supplied.reference).map(stored);
    const forced = judgeStep(
      graph,
      await candidate.run(module, "step", given),
      predict(module, graph, given, options),
      alpha,
      false,
    );
    const prediction = predict(module, graph, feed(reference, supplied.reference), {
      ...options,
      perturbedInputs: perturbed.map((state, r) => feed(state, supplied.perturbed[r])),
    });
    const outputs = await candidate.run(module, "step", feed(own, supplied.candidate));
    const free = judgeStep(graph, outputs, prediction, alpha, parted);
    steps.push({ step: row.step, level: row.level, forced: forced.check, free: free.check });
    if (firstFlip === undefined && free.flip !== undefined) {
      const { index, ...flip } = free.flip;
      firstFlip = { step: row.step, row: Math.floor(index / length), position: index % length, ...flip };
    }
    parted ||= free.parts;
    reference = stateOf(
      graph,
      graph.outputs.map((v) => prediction.reference.get(v)!),
    );
    perturbed = prediction.samples.map((sample) => stateOf(graph, sample));
    own = stateOf(graph, outputs);
  }
  return {
    agrees: steps.every(({ forced, free }) => forced.status !== "fail" && free.status !== "fail"),
    steps,
    ...(firstFlip && { firstFlip }),
  };
}

/** What @time makes of a row's level: by the reference, in the perturbed runs, and by the candidate. */
interface Supplied {
  readonly reference: State;
  readonly perturbed: readonly State[];
  readonly candidate: State;
}

/** Nothing when the module has no @time. One level serves the whole batch. */
async function supply(
  module: Module,
  candidate: Candidate,
  row: SamplerRow,
  options: PredictOptions,
): Promise<Supplied> {
  if (!module.graphs.some((graph) => graph.name === "time"))
    return { reference: {}, perturbed: [], candidate: {} };
  const graph = flatten(module, "time");
  const inputs = graph.inputs.map((value) => inputOf(value, {}, row, undefined, 1));
  const { reference, samples } = predict(module, graph, inputs, options);
  const named = (values: readonly Tensor[]): State =>
    Object.fromEntries(graph.outputNames.map((name, i) => [name, values[i]!]));
  return {
    reference: named(graph.outputs.map((v) => reference.get(v)!)),
    perturbed: samples.map(named),
    candidate: named(await candidate.run(module, "time", inputs)),
  };
}

function inputOf(
  { hint, type }: Value,
  state: State,
  row: SamplerRow,
  noise: Tensor | undefined,
  batch: number,
): Tensor {
  const shape = type.shape.map((extent) => extent.value ?? batch);
  const filled = (...numbers: number[]): Tensor => {
    const out = tensor(type.element, shape);
    return stored({ ...out, data: out.data.map((_, i) => numbers[i % numbers.length]!) });
  };
  switch (hint) {
    case "x":
      return state.x!;
    case "self_cond":
    case "x0_prev":
      return state.x0!;
    case "noise":
      return noise!;
    case "level":
      return filled(row.level);
    case "prior_scale":
      return filled(row.priorScale);
    case "coefficients":
      return filled(row.a, row.b, row.c, row.s);
    case "fixed_mask":
    case "fixed_x":
      return filled(0);
    default:
      return fail("check/unknown-input", `@step takes "${hint}", and a trajectory cannot say what that is`, {
        help: "check @step on its own instead: its inputs are drawn at random",
      });
  }
}

function stateOf(graph: Graph, outputs: readonly Tensor[]): State {
  const of = (name: string): Tensor => outputs[graph.outputNames.indexOf(name)]!;
  return { x: of("x_next"), x0: of("x0") };
}

interface JudgedStep {
  readonly check: StepCheck;
  readonly flip?: Omit<FirstFlip, "step" | "row" | "position"> & { readonly index: number };
  /** From here on the two sides are different, equally good generations. */
  readonly parts: boolean;
}

function judgeStep(
  graph: Graph,
  actual: readonly Tensor[],
  prediction: Prediction,
  alpha: number,
  parted: boolean,
): JudgedStep {
  const { values, reference, runs } = prediction;
  const tolerance = (value: Value | undefined): number => {
    const predicted = value && values.get(value);
    return predicted === undefined
      ? 0
      : predicted.largest * predictedFactors(alpha, predicted.degrees, runs).largest;
  };
  const verdicts = graph.outputs.map((value, i) => {
    const op = graph.ops.find((o) => o.results.includes(value));
    if (op === undefined) return undefined;
    return judge({
      op,
      operands: op.operands.map((v) => (v === undefined ? undefined : reference.get(v)!)),
      actual: actual[i],
      expected: reference.get(value)!,
      allowance: predictedAllowance(values.get(value)!, alpha, runs),
      tolerance: op.operands.map(tolerance),
      afterNearTie: parted,
    });
  });
  const of = (name: string) => verdicts[graph.outputNames.indexOf(name)];
  const flips = of("tokens")?.flips ?? [];
  const near = flips.filter(isNearTie).length;
  // A state beyond tolerance beside nothing but near ties has followed one of them (the rounding clamp).
  const clamped =
    graph.ops.some((op) => op.name === "nearest_row") &&
    near > 0 &&
    near === flips.length &&
    of("x_next")?.status === "fail";
  const statuses = verdicts.flatMap((v) => (v === undefined ? [] : [v.status]));
  const status: Status = statuses.includes("fail")
    ? clamped
      ? "near-tie"
      : "fail"
    : (statuses.find((s) => s !== "pass") ?? "pass");
  const x = graph.outputs[graph.outputNames.indexOf("x_next")]!;
  return {
    check: {
      status,
      error: of("x_next")?.comparison?.maxAbsolute ?? 0,
      predicted: values.get(x)?.largest ?? 0,
      strain: verdicts.reduce((m, v) => Math.max(m, v?.strain ?? 0), 0),
      flips: flips.length,
      nearTies: near,
    },
    ...(flips[0] && { flip: flips[0] }),
    parts: parted || clamped,
  };
}
