// A whole generation of a model that keeps settled positions, as it ships: in block sessions.
//   forced         every call of @block and @prefix is fed what the reference keeps: are all outputs within what rounding
//                  explains, and which tokens come out differently?
//   free-running   a session of the candidate, with what it keeps itself, is asked the same: are its logits within what
//                  rounding in all blocks before explains? And where does a generation of its own flip the first token?

import type { CachedBlocks } from "../diffusion/discrete/cached-blocks.js";
import { settlingOf } from "../diffusion/discrete/cached-blocks.js";
import type { TokenPlan } from "../diffusion/discrete/token-plan.js";
import { maskOf } from "../diffusion/discrete/token-process.js";
import type { Module } from "../ir/graph.js";
import { tensor } from "../ir/tensor.js";
import type { FixedTokens } from "../runtime/fixed-positions.js";
import type { BlockSession, TokenRunner } from "../runtime/token-runner.js";
import { bug } from "../support/diagnostic.js";
import type { CallOptions } from "./call-trajectory.js";
import { differing, suppliedFilters } from "./call-trajectory.js";
import type { Candidate } from "./candidate.js";
import { checkModule } from "./check.js";
import { compare, strain } from "./compare.js";
import { flatten } from "./flatten.js";
import { forcedTokens } from "./forced-tokens.js";
import { type BlockCall, type BlockContext, candidateBlocks, judgedBlocks, worse } from "./judged-blocks.js";
import { defaultRuns } from "./predict.js";
import type {
  BlockDivergence,
  FirstFlip,
  StepCheck,
  TrajectoryReport,
  TrajectoryStep,
} from "./trajectory.js";
import { predictedAllowance } from "./verdict.js";

export interface BlockTrajectoryOptions extends CallOptions {
  readonly plan: TokenPlan;
}

/** Runs the plan. Needs @denoise, @block and a sampler with an exact cache. */
export async function checkBlockTrajectory(
  module: Module,
  candidate: Candidate,
  options: BlockTrajectoryOptions,
): Promise<TrajectoryReport> {
  const { plan, batch = 1, seed = 0, runs = defaultRuns, falseAlarm = 1e-4 } = options;
  const [, length, vocabulary] = flatten(module, "denoise").outputs[0]!.type.shape.map(({ value }) => value!);
  const blocks = plan.sampler.blocks ?? bug("a cache without blocks");
  const outputs = ["block", "prefix"].reduce(
    (n, name) => n + (module.graphs.find((graph) => graph.name === name)?.outputs.length ?? 0),
    0,
  );
  // A call for every row of the plan, two more and a settling one, of every block; each output has two measures, forced and free.
  const tests = Math.ceil(length! / blocks.length) * (plan.rows.length + 3) * outputs * 4;
  const context: BlockContext = {
    module,
    candidate,
    batch,
    alpha: falseAlarm / tests,
    predict: { accuracy: candidate.accuracy, runs, seed },
    filters: await suppliedFilters(module, candidate, options),
  };
  const fixed = promptOf(plan, blocks, length!);
  const decode = (
    openBlocks: NonNullable<TokenRunner["openBlocks"]>,
    expected?: readonly Int32Array[],
  ): AsyncGenerator<Int32Array> => {
    const runner: TokenRunner = {
      length: length!,
      vocabulary: vocabulary!,
      logits: () => bug("a whole text is computed"),
      openBlocks,
      async dispose() {},
    };
    const decoding = { plan, batch, noise: seed, keepLogits: false, ...(fixed && { fixed }) };
    return forcedTokens(runner, decoding, expected);
  };

  const calls: BlockCall[] = [];
  const states: { readonly tokens: Int32Array; readonly calls: number }[] = [];
  let sessions = 1;
  const judged: NonNullable<TokenRunner["openBlocks"]> = (_, count) => {
    sessions = count;
    return judgedBlocks(context, count, calls);
  };
  for await (const tokens of decode(judged)) states.push({ tokens, calls: calls.length });

  const expected = states.map(({ tokens }) => tokens);
  const forced: Int32Array[] = [];
  for await (const tokens of decode((_, count) => recorded(calls, count), expected)) forced.push(tokens);

  const own = await replay(calls, context, await candidateBlocks(context, sessions));
  const free: Int32Array[] = [];
  const opened = await candidateBlocks(context, sessions);
  for await (const tokens of decode(() => opened)) free.push(tokens);

  let from = 0;
  let firstFlip: FirstFlip | undefined;
  const steps = states.map(({ tokens, calls: to }, step): TrajectoryStep => {
    // An unchanged state is not computed again: it goes by the last call there was.
    from = Math.min(from, Math.max(0, to - 1));
    const along = own.slice(from, to).reduce(worse);
    const alone = calls
      .slice(from, to)
      .map((call) => call.forced)
      .reduce(worse);
    from = to;
    const flips = differing(forced[step]!, tokens);
    const apart = free[step] === undefined ? [] : differing(free[step], tokens);
    if (firstFlip === undefined && apart.length > 0)
      firstFlip = flipOf(step, apart[0]!, { tokens, free: free[step]!, length: length!, check: along });
    return {
      step,
      level: calls[to - 1]!.inputs.level[0]!,
      forced: flipped(alone, flips.length),
      free: flipped(along, apart.length),
    };
  });
  const firstBlock = await blame(calls, own, context);
  return {
    agrees: firstBlock === undefined,
    steps,
    ...(firstFlip && { firstFlip }),
    ...(firstBlock && { firstBlock }),
  };
}

/** Given tokens where blocks begin behind them or guidance leaves them out: one more than settle together. */
function promptOf(
  { sampler, process }: TokenPlan,
  blocks: CachedBlocks,
  length: number,
): FixedTokens | undefined {
  if (blocks.from !== "prompt" && sampler.guidance === undefined) return undefined;
  const given = Math.min(length - 1, settlingOf(blocks) + 1);
  const mask = maskOf(process);
  const known = Array.from({ length: process.vocabulary }, (_, v) => v).filter((v) => v !== mask);
  return {
    tokens: Int32Array.from({ length }, (_, i) => known[(7 * i + 1) % known.length]!),
    mask: Uint8Array.from({ length }, (_, i) => (i < given ? 1 : 0)),
  };
}

/** Sessions that answer as the candidate did when it was fed what the reference keeps. */
function recorded(calls: readonly BlockCall[], count: number): BlockSession[] {
  let asked = 0;
  const size = calls[0]!.inputs.tokens.length / calls[0]!.expected.shape[0]!;
  const answer = async (): Promise<Float64Array> => calls[asked++]!.actual;
  return Array.from({ length: count }, () => ({ size, logits: answer, settle: answer, close() {} }));
}

/** The same calls of the candidate's own sessions, each judged by its logits. */
async function replay(
  calls: readonly BlockCall[],
  { alpha, predict: { runs } }: BlockContext,
  sessions: readonly BlockSession[],
): Promise<StepCheck[]> {
  const checks: StepCheck[] = [];
  for (const { session, settles, inputs, expected, predicted } of calls) {
    const own = sessions[session]!;
    const logits = await (settles === undefined ? own.logits(inputs) : own.settle(inputs, settles));
    const actual = tensor("f32", expected.shape, Float64Array.from(logits));
    const comparison = compare(actual, expected, predictedAllowance(predicted, alpha, runs));
    checks.push({
      status: comparison.passes ? "pass" : "fail",
      error: comparison.maxAbsolute,
      predicted: predicted.largest,
      strain: strain(comparison),
      flips: 0,
      nearTies: 0,
    });
  }
  for (const session of sessions) session.close();
  return checks;
}

/** A check with what its logits did to tokens: where they are within tolerance, near ties. */
function flipped(check: StepCheck, flips: number): StepCheck {
  if (check.status === "fail") return { ...check, flips };
  return { ...check, flips, nearTies: flips, status: flips > 0 ? "near-tie" : check.status };
}

interface Apart {
  readonly tokens: Int32Array;
  readonly free: Int32Array;
  readonly length: number;
  readonly check: StepCheck;
}

function flipOf(step: number, at: number, { tokens, free, length, check }: Apart): FirstFlip {
  return {
    step,
    row: Math.floor(at / length),
    position: at % length,
    expected: tokens[at]!,
    actual: free[at]!,
    margin: check.error,
    allowed: check.predicted,
  };
}

/** The first block that differs: in a graph, of which the first op is sought, or in what the session keeps. */
async function blame(
  calls: readonly BlockCall[],
  own: readonly StepCheck[],
  { module, candidate, predict: { runs } }: BlockContext,
): Promise<BlockDivergence | undefined> {
  const graphs = calls.findIndex(({ wrong }) => wrong !== undefined);
  const session = own.findIndex(({ status }) => status === "fail");
  const found = calls[graphs >= 0 ? graphs : session];
  if (found === undefined) return undefined;
  const { position, wrong, inputs, expected } = found;
  const size = inputs.tokens.length / expected.shape[0]!;
  const settling = found.settles !== undefined;
  if (wrong === undefined) return { position, size, settling, graph: "session" };
  const report = await checkModule(module, candidate, {
    graphs: [wrong.graph],
    inputs: { given: wrong.given },
    runs,
  });
  const op = report.graphs[0]?.firstDivergence;
  return {
    position,
    size,
    settling,
    graph: wrong.graph,
    ...(op && { op: op.op, value: op.value, pointer: op.pointer, message: op.message }),
  };
}
