// A whole generation of a model with a discrete state: the same decoder with the same draws around the reference's
// network and around the candidate's.
//   teacher-forced   every call gets the reference's state: are the logits within what rounding explains, and which
//                    tokens come out differently?
//   free-running     the candidate decodes on its own: where does the first token flip?
// All arithmetic after the logits is the same float64 code on both sides, so a token can differ only because logits
// did. Where these are within their predicted error the decision was a near tie, and is counted as one.

import type { TokenPlan } from "../diffusion/discrete/token-plan.js";
import { findGraph, type Graph, type Module } from "../ir/graph.js";
import { type Tensor, tensor } from "../ir/tensor.js";
import { decodeTokens } from "../runtime/discrete/decode-tokens.js";
import type { TokenInputs, TokenRunner } from "../runtime/token-runner.js";
import { fail } from "../support/diagnostic.js";
import type { Candidate } from "./candidate.js";
import { encodedInputs, encoderInput } from "./encoder-feed.js";
import { flatten } from "./flatten.js";
import { judgeValues } from "./judge-values.js";
import { defaultRuns, predict } from "./predict.js";
import { stored } from "./stored.js";
import type { FirstFlip, StepCheck, TrajectoryReport } from "./trajectory.js";

export interface TokenTrajectoryOptions {
  readonly plan: TokenPlan;
  readonly batch?: number;
  readonly seed?: number;
  readonly runs?: number;
  readonly falseAlarm?: number;
}

/** One judged call of the network. */
interface Call {
  readonly level: number;
  readonly check: StepCheck;
  /** What an honest implementation's logits may be off by. */
  readonly allowed: number;
  readonly actual: Float64Array;
}

/** Runs the plan. Needs @denoise from tokens to logits. */
export async function checkTokenTrajectory(
  module: Module,
  candidate: Candidate,
  options: TokenTrajectoryOptions,
): Promise<TrajectoryReport> {
  const { plan, batch = 1, seed = 0 } = options;
  if (findGraph(module, "denoise") === undefined)
    fail("check/no-step", "a trajectory needs the graph @denoise, which this module lacks", {
      help: "compile a whole model, not a part of one",
    });
  const graph = flatten(module, "denoise");
  const calls: Call[] = [];
  const reference = runnerOf(graph, plan, async (inputs) => {
    const { call, logits } = await judgeCall(module, graph, candidate, inputs, options);
    calls.push(call);
    return logits;
  });
  // A call serves every update up to the next one: an unchanged state is not computed twice.
  const states: { readonly tokens: Int32Array; readonly call: number }[] = [];
  for await (const state of decodeTokens(reference, { plan, batch, noise: seed }))
    if (!state.done) states.push({ tokens: state.tokens, call: state.calls - 1 });

  let asked = 0;
  const replayed = runnerOf(graph, plan, async () => calls[asked++]!.actual);
  const forced: number[] = [];
  for await (const state of decodeTokens(replayed, {
    plan,
    batch,
    noise: seed,
    onTokens(tokens) {
      const expected = states[forced.length]!.tokens;
      forced.push(differing(tokens, expected).length);
      tokens.set(expected);
    },
  }))
    void state;

  const own = runnerOf(graph, plan, async (inputs) => {
    const [logits] = await candidate.run(module, "denoise", feed(module, graph, inputs));
    return logits!.data;
  });
  const free: Int32Array[] = [];
  for await (const state of decodeTokens(own, { plan, batch, noise: seed }))
    if (!state.done) free.push(state.tokens);

  const length = reference.length;
  let firstFlip: FirstFlip | undefined;
  const steps = states.map(({ tokens, call }, step) => {
    const { level, check, allowed } = calls[call]!;
    const flips = forced[step]!;
    const apart = free[step] === undefined ? [] : differing(free[step], tokens);
    const after = firstFlip !== undefined;
    if (firstFlip === undefined && apart.length > 0) {
      const at = apart[0]!;
      const [row, position] = [Math.floor(at / length), at % length];
      const [expected, actual] = [tokens[at]!, free[step]![at]!];
      firstFlip = { step, row, position, expected, actual, margin: check.error, allowed };
    }
    const near = check.status === "fail" ? 0 : flips;
    const status = check.status === "fail" ? "fail" : flips > 0 ? "near-tie" : check.status;
    return {
      step,
      level,
      forced: { ...check, status, flips, nearTies: near },
      free: {
        ...check,
        status:
          check.status === "fail"
            ? "fail"
            : after
              ? "after-near-tie"
              : apart.length > 0
                ? "near-tie"
                : "pass",
        flips: apart.length,
        nearTies: check.status === "fail" ? 0 : apart.length,
      },
    } as const;
  });
  return {
    agrees: steps.every((step) => step.forced.status !== "fail"),
    steps,
    ...(firstFlip && { firstFlip }),
  };
}

/** The reference's logits of a call, and the candidate's judged against them. */
async function judgeCall(
  module: Module,
  graph: Graph,
  candidate: Candidate,
  inputs: TokenInputs,
  { plan, runs = defaultRuns, seed = 0, falseAlarm = 1e-4 }: TokenTrajectoryOptions,
): Promise<{ readonly call: Call; readonly logits: Float64Array }> {
  const given = feed(module, graph, inputs);
  const prediction = predict(module, graph, given, { accuracy: candidate.accuracy, runs, seed });
  const [actual] = await candidate.run(module, "denoise", given);
  const value = graph.outputs[0]!;
  const alpha = falseAlarm / Math.max(1, plan.rows.length * 2);
  const verdict = judgeValues(graph, [value], [actual!], prediction, { alpha }).get(value)!;
  const predicted = prediction.values.get(value)?.largest ?? 0;
  const check: StepCheck = {
    status: verdict.status,
    error: verdict.comparison?.maxAbsolute ?? 0,
    predicted,
    strain: verdict.strain,
    flips: 0,
    nearTies: 0,
  };
  return {
    call: { level: inputs.level[0] ?? 0, check, allowed: predicted, actual: actual!.data },
    logits: prediction.reference.get(value)!.data,
  };
}

/** The inputs of @denoise in its order. Throws `check/unknown-input`. */
function feed(module: Module, graph: Graph, { batch, tokens, level }: TokenInputs): Tensor[] {
  const encoded = encodedInputs(module, batch);
  return graph.inputs.map((value) => {
    const { hint, type } = value;
    const ofEncoder = encoderInput(value, batch) ?? encoded[hint ?? ""];
    if (ofEncoder !== undefined) return ofEncoder;
    const shape = type.shape.map((extent) => extent.value ?? batch);
    if (hint === "tokens") return tensor("i32", shape, Float64Array.from(tokens));
    if (hint === "level")
      return stored(
        tensor(
          "f32",
          shape,
          Float64Array.from({ length: shape[0]! }, (_, row) => level[level.length === 1 ? 0 : row]!),
        ),
      );
    return fail("check/unknown-input", `@denoise takes "${hint}", and a trajectory cannot say what that is`, {
      help: "check @denoise on its own instead: its inputs are drawn at random",
    });
  });
}

function runnerOf(graph: Graph, plan: TokenPlan, logits: TokenRunner["logits"]): TokenRunner {
  const length = graph.outputs[0]!.type.shape[1]!.value!;
  return { length, vocabulary: plan.process.vocabulary, logits, async dispose() {} };
}

/** Where two states differ. */
function differing(a: Int32Array, b: Int32Array): number[] {
  return Array.from(a.keys()).filter((i) => a[i] !== b[i]);
}
