// Decoding of blocks from left to right, each seeing those before it: SDAR's strategies, LLaDA2's threshold over equal
// shares and LLaDA2.1's with edits, around the case's stub network or a whole network.

import type {
  QuotaDescription,
  TokenSamplerDescription,
} from "../../../diffusion/discrete/sampler-description.js";
import type { TokenDraws } from "../../../runtime/discrete/driver.js";
import type { TokenRunner } from "../../../runtime/token-runner.js";
import { bug, fail } from "../../../support/diagnostic.js";
import type { Computed } from "../compare.js";
import { type Each, mapEach } from "../each.js";
import {
  checkedFields,
  type Facts,
  type GoldenCase,
  hasTensor,
  namedEntries,
  numberOption,
  objectOf,
  tensorOf,
  weightShape,
} from "../golden-case.js";
import { entry, joined } from "../layout.js";
import { runColumns } from "./llada-decode.js";
import {
  type DecodingRun,
  decodePrompt,
  firstState,
  noDraws,
  stubOfBlocks,
  timesOf,
} from "./stub-decoder.js";
import { type GoldenSystem, isNamed } from "./system.js";

export const sdarDecoding: GoldenSystem = {
  name: "SDAR decoding",
  covers: (golden) => isNamed(golden, "sdar") && weightShape(golden, "stub.E") !== undefined,
  compute: (golden) => blockRuns(golden, sdar, async (length, size) => stubOfBlocks(golden, length, size)),
};

export const llada2Decoding: GoldenSystem = {
  name: "LLaDA2 decoding",
  covers: (golden) => isNamed(golden, "llada2") && weightShape(golden, "stub.E") !== undefined,
  compute: (golden) => blockRuns(golden, llada2, async (length, size) => stubOfBlocks(golden, length, size)),
};

/** A run as upstream was called, under one of the names that its versions have for an argument. */
type Run = (...names: readonly string[]) => unknown;

/** What a run says of its decoding. */
interface Rules {
  readonly steps: number;
  readonly sampler: TokenSamplerDescription;
}

const fields = [
  ...["name", "mask_id", "gen_length", "max_new_tokens", "block_length", "block_size", "steps"],
  ...["denoising_steps", "steps_per_block", "temperature", "top_k", "top_p", "remasking_strategy"],
  ...["confidence_threshold", "threshold", "eb_threshold", "stopping_criteria_idx", "minimal_topk"],
  ...["editing_threshold", "max_post_steps", "num_to_transfer", "eos_early_stop", "eos_id"],
];

const number = (value: unknown, otherwise: number): number => (typeof value === "number" ? value : otherwise);

/** SDAR's block_diffusion_generate(). */
export function sdar(run: Run): Rules {
  const strategy = String(run("remasking_strategy") ?? "low_confidence_dynamic");
  const quotas: Readonly<Record<string, QuotaDescription>> = {
    sequential: { kind: "uniform", share_of: "block" },
    low_confidence_static: { kind: "uniform", share_of: "block" },
    low_confidence_dynamic: {
      kind: "threshold",
      threshold: number(run("confidence_threshold", "threshold"), 0.85),
      at_least: "uniform",
      share_of: "block",
    },
    entropy_bounded: { kind: "entropy_bound", bound: number(run("eb_threshold"), 0.35), own: true },
  };
  const stops = run("stopping_criteria_idx");
  const size = number(run("block_length", "block_size"), 8);
  return {
    steps: number(run("denoising_steps", "steps"), 8),
    sampler: {
      ...chosenFrom(run, 1),
      score: strategy === "sequential" ? "position" : "probability",
      quota: quotas[strategy] ?? fail("goldens/run", `SDAR has no strategy ${strategy}`),
      blocks: blocksOf(size, Array.isArray(stops) ? stops.map(Number) : []),
    },
  };
}

/** LLaDA2.0's and LLaDA2.1's generate(): the latter edits. */
export function llada2(run: Run, golden: GoldenCase): Rules {
  const size = number(run("block_length", "block_size"), 32);
  const length = number(run("gen_length", "max_new_tokens"), size);
  const minimal = number(run("minimal_topk"), 1);
  const given = number(run("steps", "steps_per_block", "denoising_steps"), size);
  const steps = minimal > 0 ? Math.min(given, Math.floor(length / minimal)) : given;
  const threshold = number(run("threshold"), 0.95);
  const edits =
    /2[._-]?1/.test(`${golden.system} ${JSON.stringify(objectOf(golden.facts.upstream).path)}`) ||
    [run("editing_threshold"), run("num_to_transfer"), run("max_post_steps")].some((v) => v !== undefined);
  const eos = number(run("eos_id"), numberOption(golden, "eos_id", "eos_token_id") ?? -1);
  const stops = run("eos_early_stop") === true && eos >= 0 ? [eos] : [];
  return {
    steps,
    sampler: {
      ...chosenFrom(run, 0),
      score: "probability",
      quota: edits
        ? { kind: "threshold", threshold, at_least: number(run("num_to_transfer"), 1) }
        : { kind: "threshold", threshold, at_least: "uniform", share_of: "block" },
      ...(edits && {
        edit: {
          kind: "threshold",
          threshold: number(run("editing_threshold"), 0.9),
          max_steps: number(run("max_post_steps"), 16),
        },
      }),
      blocks: blocksOf(size, stops),
    },
  };
}

/** The choice of a token; the best one is chosen among all. */
function chosenFrom(run: Run, otherwise: number): TokenSamplerDescription {
  const temperature = number(run("temperature"), otherwise);
  const restricted = {
    top_k: number(run("top_k"), 0),
    top_p: number(run("top_p"), 1),
    nucleus_of: "top_k",
  } as const;
  return { kind: "confidence", score_from: "choice", temperature, ...(temperature > 0 && restricted) };
}

function blocksOf(length: number, stops: readonly number[]): NonNullable<TokenSamplerDescription["blocks"]> {
  return { length, cache: "exact", stop_tokens: stops };
}

/** Every run of the case on the network that `open` gives for a length and a block. */
export async function blockRuns(
  golden: GoldenCase,
  rules: (run: Run, golden: GoldenCase) => Rules,
  open: (length: number, size: number) => Promise<Each<TokenRunner>>,
  close: (runners: Each<TokenRunner>) => Promise<void> = async () => {},
): Promise<Computed[]> {
  const results: Computed[] = [];
  for (const [name, facts] of namedEntries(golden.options.get("runs"))) {
    if (!hasTensor(golden, `traj.${name}.x`)) continue;
    const given = checkedFields(golden, `runs.${name}`, facts, fields);
    const { steps, sampler } = rules(named(given), golden);
    const size = sampler.blocks!.length;
    const recorded = tensorOf(golden, `traj.${name}.x`).shape;
    const runners = await open(recorded[2]!, size);
    const walks = await decodePrompt(runners, {
      sampler,
      times: timesOf(steps + 1, 0),
      mask: numberOption(golden, "mask_id", "mask_token_id") ?? bug("the case does not say its mask token"),
      start: firstState(golden, name),
      draws: drawsOf(golden, name, size),
    });
    await close(runners);
    results.push(
      ...runColumns(golden, name, asReturned(golden, name, walks)).map((one) => ofBlock(golden, one)),
    );
  }
  return results;
}

const named =
  (facts: Facts): Run =>
  (...names) =>
    names.map((name) => facts[name]).find((value) => value !== undefined && value !== null);

/** Where upstream leaves a block as soon as its text has ended: the states up to there. */
function asReturned(golden: GoldenCase, name: string, walks: Each<DecodingRun>): Each<DecodingRun> {
  const count = tensorOf(golden, `traj.${name}.x`).shape[0]!;
  const facts = objectOf(namedEntries(golden.options.get("runs")).find(([run]) => run === name)?.[1]);
  if (facts.eos_early_stop !== true) return walks;
  return mapEach(walks, ({ states, calls }) => ({
    states: states.slice(0, count),
    calls: calls.slice(0, count - 1),
  }));
}

/** Logits are those of the block under way, the last rows of what upstream's network saw in a call. */
function ofBlock(golden: GoldenCase, one: Computed): Computed {
  const { shape, data } = tensorOf(golden, one.name);
  if (one.exact === true || one.reference.length >= data.length) return one;
  const batch = shape[0]!;
  const [ours, theirs] = [one.reference.length / batch, data.length / batch];
  const rows = Array.from({ length: batch }, (_, row) =>
    data.subarray((row + 1) * theirs - ours, (row + 1) * theirs),
  );
  return { ...one, expected: joined(rows) };
}

/** The tokens that upstream drew for a block in a call, [B, size]: draw.<run>.<number>_multinomial or draw.<run>.x0. */
function drawsOf(golden: GoldenCase, run: string, size: number): TokenDraws {
  const stacked = ["x0", "tokens", "multinomial"]
    .map((name) => `draw.${run}.${name}`)
    .find((name) => hasTensor(golden, name));
  const single = golden.tensors
    .names()
    .filter((name) => name.startsWith(`draw.${run}.`) && /\d+_/.test(name))
    .sort();
  if (stacked === undefined && single.length === 0) return noDraws;
  const ofCall = (call: number): Float64Array => {
    if (stacked !== undefined) return entry(tensorOf(golden, stacked), call);
    return tensorOf(golden, single[call] ?? fail("goldens/draws", `run ${run} has no draw ${call}`)).data;
  };
  const seen: number[] = [];
  return {
    uniform: noDraws.uniform,
    chosen(draw, row, position) {
      if (seen.at(-1) !== draw) seen.push(draw);
      return ofCall(seen.length - 1)[row * size + (position % size)]!;
    },
  };
}
