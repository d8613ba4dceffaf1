// A whole generation: all steps of @step with the same noise for the reference and the candidate.
//   teacher-forced   every step is fed the reference's state: a step's own error, and its flipped tokens
//   free-running     the candidate is fed its own state: how errors grow, and where the first token flips
// Both are measured against predictions from perturbed runs, of the step alone and of the whole loop. Once a near
// tie has flipped something that the state depends on, the two go different, equally good ways; what follows is
// shown and not judged.

import { seededNoise } from "../diffusion/normal.js";
import { initialState, type SamplerPlan } from "../diffusion/rows.js";
import { findGraph, type Graph, type Module } from "../ir/graph.js";
import { type Tensor, tensor } from "../ir/tensor.js";
import { fail } from "../support/diagnostic.js";
import type { Candidate } from "./candidate.js";
import { flatten } from "./flatten.js";
import { portNames } from "./isolate.js";
import { type JudgeValuesOptions, judgeValues } from "./judge-values.js";
import { decides, isNearTie } from "./near-ties.js";
import { defaultRuns, type Prediction, predict } from "./predict.js";
import { inputOf, type State, stateOf, supplyStep } from "./step-feed.js";
import { stored } from "./stored.js";
import type { Status, Verdict } from "./verdict.js";

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

/** A step from the reference's state, and one of the free-running generation. */
export interface BothSides {
  readonly forced: StepCheck;
  readonly free: StepCheck;
}

export interface TrajectoryStep extends BothSides {
  readonly step: number;
  readonly level: number;
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

/** The first block out of tolerance, of a generation that keeps settled positions. */
export interface BlockDivergence {
  /** Its first position, and how many it has. */
  readonly position: number;
  readonly size: number;
  /** Whether it was the call that settled positions. */
  readonly settling: boolean;
  /** The graph that is wrong when it is fed what the reference keeps; `session` where none is, so that rows are kept wrongly. */
  readonly graph: "block" | "prefix" | "session";
  /** The first op of the graph to blame, where one is found. */
  readonly op?: string;
  readonly value?: string;
  readonly pointer?: string;
  readonly message?: string;
}

export interface TrajectoryReport {
  readonly agrees: boolean;
  readonly steps: readonly TrajectoryStep[];
  /** Of a state of latents: what @decode makes of the last state. */
  readonly latents?: BothSides;
  readonly firstFlip?: FirstFlip;
  readonly firstBlock?: BlockDivergence;
}

export interface TrajectoryOptions {
  readonly plan: Pick<SamplerPlan, "rows" | "initialNoiseScale" | "initialNoiseScales">;
  readonly batch?: number;
  readonly seed?: number;
  readonly runs?: number;
  readonly falseAlarm?: number;
}

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
  const graph = withDecisions(flatten(module, "step"));
  const shown: Module = {
    ...module,
    graphs: [...module.graphs.filter(({ name }) => name !== "step"), graph],
  };
  const x = graph.inputs.find((v) => v.hint === "x")!;
  const [, length, dim] = x.type.shape.map((extent) => extent.value ?? batch) as [number, number, number];
  const draws = seededNoise(seed, batch, length, dim);
  const noise = (draw: number): Tensor => tensor("f32", [batch, length, dim], Float64Array.from(draws(draw)));
  const silence = tensor("f32", [batch, length, dim]);
  // Two graphs' worth of values per step, each with two measures, forced and free.
  const decode = decodeOf(module);
  const measured = plan.rows.length * graph.outputs.length + (decode?.outputs.length ?? 0);
  const alpha = falseAlarm / Math.max(1, measured * 4);

  const start = noise(0);
  const initial: State = {
    x: stored({ ...start, data: initialState(plan, start.data, dim) }),
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
    const supplied = await supplyStep(shown, candidate, row, batch, options);
    const update = row.s === 0 ? silence : noise(row.step + 1);
    const feed = (state: State, time: State | undefined): Tensor[] =>
      graph.inputs.map((value) => time?.[value.hint ?? ""] ?? inputOf(value, state, row, update, batch));

    const given = feed(reference, supplied.reference).map(stored);
    const forced = judgeStep(
      graph,
      await candidate.run(shown, "step", given),
      predict(module, graph, given, options),
      { alpha },
    );
    const prediction = predict(module, graph, feed(reference, supplied.reference), {
      ...options,
      perturbedInputs: perturbed.map((state, r) => feed(state, supplied.perturbed[r])),
    });
    const outputs = await candidate.run(shown, "step", feed(own, supplied.candidate));
    const free = judgeStep(graph, outputs, prediction, { alpha, parted });
    steps.push({ step: row.step, level: row.level, forced: forced.check, free: free.check });
    firstFlip ??= flipOf(free, row.step, length);
    parted ||= free.parts;
    reference = stateOf(
      graph,
      graph.outputs.map((v) => prediction.reference.get(v)!),
    );
    perturbed = prediction.samples.map((sample) => stateOf(graph, sample));
    own = stateOf(graph, outputs);
  }
  let latents: BothSides | undefined;
  if (decode !== undefined) {
    const options = { accuracy: candidate.accuracy, runs, seed: seed + plan.rows.length };
    const given = [stored(reference.x!)];
    const actual = await candidate.run(module, "decode", given);
    const forced = judgeStep(decode, actual, predict(module, decode, given, options), { alpha });
    const prediction = predict(module, decode, [reference.x!], {
      ...options,
      perturbedInputs: perturbed.map(({ x }) => [x!]),
    });
    const outputs = await candidate.run(module, "decode", [own.x!]);
    const free = judgeStep(decode, outputs, prediction, { alpha, parted });
    latents = { forced: forced.check, free: free.check };
    firstFlip ??= flipOf(free, plan.rows.length, tokensOf(decode) ?? length);
  }
  return {
    agrees: [...steps, ...(latents ? [latents] : [])].every(
      ({ forced, free }) => forced.status !== "fail" && free.status !== "fail",
    ),
    steps,
    ...(latents && { latents }),
    ...(firstFlip && { firstFlip }),
  };
}

/** @decode, where it does more than give its state back. */
function decodeOf(module: Module): Graph | undefined {
  const graph = findGraph(module, "decode") && flatten(module, "decode");
  return graph?.ops.length === 0 ? undefined : graph;
}

/** What a step is measured by: the new state, at the end the latents, or what is made of those that stay as they are. */
function mainOutput({ inputs, outputs, outputNames }: Graph): string {
  const made = (name: string): boolean =>
    outputs.some((value, i) => outputNames[i] === name && !inputs.includes(value));
  return ["x_next", "latents"].find(made) ?? "logits";
}

/** Where the first token of a step flipped, of rows of `length` tokens. */
function flipOf({ flip }: JudgedStep, step: number, length: number): FirstFlip | undefined {
  if (flip === undefined) return undefined;
  const { index, ...rest } = flip;
  return { step, row: Math.floor(index / length), position: index % length, ...rest };
}

/** Number of tokens of a text that a graph gives. */
function tokensOf({ outputs, outputNames }: Graph): number | undefined {
  return outputs[outputNames.indexOf("tokens")]?.type.shape[1]?.value;
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
  options: JudgeValuesOptions,
): JudgedStep {
  const verdicts = judgeValues(graph, graph.outputs, actual, prediction, options);
  const of = (name: string): Verdict | undefined =>
    verdicts.get(graph.outputs[graph.outputNames.indexOf(name)]!);
  const all = [...verdicts.values()];
  const flips = of("tokens")?.flips ?? [];
  const main = mainOutput(graph);
  const next = graph.outputs[graph.outputNames.indexOf(main)]!;
  const first = (status: Status): boolean => all.some((verdict) => verdict.status === status);
  return {
    check: {
      status: first("fail")
        ? "fail"
        : first("near-tie")
          ? "near-tie"
          : first("after-near-tie")
            ? "after-near-tie"
            : "pass",
      error: of(main)?.comparison?.maxAbsolute ?? 0,
      predicted: prediction.values.get(next)?.largest ?? 0,
      strain: all.reduce(
        (m, { status, strain }) => (status === "after-near-tie" ? m : Math.max(m, strain)),
        0,
      ),
      flips: flips.length,
      nearTies: flips.filter(isNearTie).length,
    },
    ...(flips[0] && { flip: flips[0] }),
    parts:
      options.parted === true ||
      of("x_next")?.status === "after-near-tie" ||
      of("x0")?.status === "after-near-tie",
  };
}

/** The graph with its inner decisions as outputs too: which row the clamp chose decides what an honest state is. */
function withDecisions(graph: Graph): Graph {
  const names = portNames(graph);
  const inner = graph.ops
    .filter(decides)
    .flatMap((op) => op.results)
    .filter((value) => !graph.outputs.includes(value));
  return {
    ...graph,
    outputs: [...graph.outputs, ...inner],
    outputNames: [...graph.outputNames, ...inner.map((value) => `decision_${names.get(value)}`)],
  };
}
