// SEDD: the closed forms of both graphs, their noise schedules, and sampling runs with recorded uniforms; with the stub
// score that a case states, or driven by the whole network.

import { planOfModel } from "../../../api/sampler-source.js";
import { readingOf, type TokenPrediction } from "../../../diffusion/discrete/reading.js";
import { isTokenPlan, planTokens, type TokenPlan } from "../../../diffusion/index.js";
import { levelFromTotalNoise } from "../../../diffusion/noise-level.js";
import { tensor } from "../../../ir/tensor.js";
import type { TokenRunner } from "../../../runtime/token-runner.js";
import { bug } from "../../../support/diagnostic.js";
import { disposeRunners, floats, load, openGraph, tokenRunners } from "../backends.js";
import type { Computed } from "../compare.js";
import { type Each, mapEach, mapEachInTurn } from "../each.js";
import {
  countWeights,
  flagOption,
  type GoldenCase,
  hasTensor,
  numberOption,
  tensorOf,
  weightOf,
  weightShape,
} from "../golden-case.js";
import { firstOfLast } from "../layout.js";
import { probesOf } from "../probes.js";
import { recordedRun, replayTokens, type TokenTrajectory, trajectoryColumns } from "../token-replay.js";
import { type NamedSchedules, scheduleTables } from "./discrete-schedule.js";
import { ditBlocks, ditNorm, ditTime, ditWeightMap } from "./dit.js";
import { closedForms, processOf } from "./sedd-forms.js";
import { type GoldenSystem, isNamed } from "./system.js";

export const sedd: GoldenSystem = {
  name: "SEDD",
  covers: (golden) => isNamed(golden, "sedd"),
  async compute(golden, work) {
    return [
      ...closedForms(golden),
      ...scheduleTables(golden, schedulesOf(golden)),
      ...(isNetwork(golden) ? await network(golden, work) : []),
      ...(await sampling(golden, work)),
    ];
  },
};

const isNetwork = (golden: GoldenCase): boolean => weightShape(golden, "vocab_embed.embedding") !== undefined;

function schedulesOf(golden: GoldenCase): NamedSchedules {
  const range = golden.options.get("geometric");
  const [least, most] = Array.isArray(range) ? range.map(Number) : [1e-4, 20];
  return {
    loglinear: { family: "log_linear", eps: 1e-3 },
    geometric: { family: "geometric", sigma_min: least, sigma_max: most },
  };
}

function describeSedd(golden: GoldenCase, run: Run, length: number): Record<string, unknown> {
  const [, width] = weightShape(golden, "vocab_embed.embedding") ?? [];
  const process = processOf(golden);
  return {
    name: golden.id,
    state_space: {
      kind: process.kind,
      vocab_size: process.vocabulary,
      seq_len: length,
    },
    embedding: { dim: width },
    ...partsOf(golden, run),
    time_conditioning: ditTime(golden, "", "total_noise"),
    prediction_type: { ...predictionOf(golden), final_norm: ditNorm(golden) },
    blocks: ditBlocks(golden, ""),
    rounding_head: { kind: "linear", bias: weightShape(golden, "output_layer.linear.bias") !== undefined },
    weights: { file: golden.weightsFile, map: ditWeightMap(golden, ""), ignore: ["rotary_emb.inv_freq"] },
  };
}

function predictionOf(golden: GoldenCase): TokenPrediction {
  const scaled = isNetwork(golden) && processOf(golden).kind === "absorbing";
  return { target: "log_score", scale_by_sigma: scaled && (flagOption(golden, "scale_by_sigma") ?? true) };
}

/** One of upstream's sampling runs: its noise schedule and predictor stand in its name. */
interface Run {
  readonly name: string;
  readonly noise: string;
  readonly predictor: string;
}

function runsOf(golden: GoldenCase): Run[] {
  const names = new Set(golden.tensors.names().flatMap((name) => /^traj\.(\w+)\.x$/.exec(name)?.[1] ?? []));
  return [...names].map((name) => {
    const [, noise = "loglinear", predictor = "analytic"] = /^(\w+?)_(\w+)$/.exec(name) ?? [];
    return { name, noise, predictor };
  });
}

/** The parts of a description that decide the plan of a run. */
function partsOf(golden: GoldenCase, run: Run) {
  const steps = numberOption(golden, "N") ?? 1;
  return {
    noise_schedule: schedulesOf(golden)[run.noise] ?? bug(`SEDD has no noise schedule ${run.noise}`),
    timesteps: {
      kind: "linspace",
      from: 1,
      to: numberOption(golden, "eps") ?? 1e-5,
      num_steps: steps + 1,
    } as const,
    sampler: {
      kind: run.predictor === "euler" ? "tau_leaping" : "analytic",
      // A run without the denoising step drew nothing for it.
      final: hasTensor(golden, `draw.${run.name}.u_denoise`) ? "sample" : "none",
    } as const,
  };
}

/** Log scores of in.tokens at in.sigma, and values inside. */
async function network(golden: GoldenCase, work: string): Promise<Computed[]> {
  const tokens = tensorOf(golden, "in.tokens");
  const model = load(
    describeSedd(
      golden,
      runsOf(golden)[0] ?? { name: "", noise: "loglinear", predictor: "" },
      tokens.shape[1]!,
    ),
    work,
  );
  const rows = tokens.shape[0]!;
  const sigma = tensorOf(golden, "in.sigma").data;
  const level = Float64Array.from({ length: rows }, (_, row) => sigma[sigma.length === 1 ? 0 : row]!);
  const probes = probesOf(model.module, "denoise");
  const blocks = countWeights(golden, "blocks.", ".attn_qkv.weight");
  const inside = {
    // Upstream's module ends before the last SiLU.
    "mid.sigma_map": probes.reading("time.mlp.1.weight"),
    ...Object.fromEntries(
      Array.from({ length: blocks }, (_, i) => [`mid.blocks.${i}`, probes.hinted("residual", 2 * i + 1)]),
    ),
  };
  const graph = await openGraph(model, "denoise", inside, work);
  const outputs = await graph.run({
    tokens: tensor("i32", tokens.shape, Float64Array.from(tokens.data)),
    level: floats([rows], level),
  });
  await graph.dispose();
  const length = tokens.shape[1]!;
  const results: Computed[] = [
    {
      name: "out",
      ...mapEach(outputs, ({ logits }) =>
        logScores(golden, logits!, tokens.data, (at) => level[Math.floor(at / length)]!),
      ),
    },
    ...Object.keys(inside).map((name) => ({ name, ...mapEach(outputs, (values) => values[name]!) })),
  ];
  return results.filter(({ name }) => hasTensor(golden, name));
}

/** ln p_t(y) / p_t(x) of every position, `noise` its total noise. */
function logScores(
  golden: GoldenCase,
  logits: ArrayLike<number>,
  tokens: ArrayLike<number>,
  noise: (at: number) => number,
): Float64Array {
  const process = processOf(golden);
  const n = process.vocabulary;
  const reading = readingOf(process, predictionOf(golden));
  const out = new Float64Array(tokens.length * n);
  for (let at = 0; at < tokens.length; at++)
    reading.logScores(
      Array.from({ length: n }, (_, v) => logits[at * n + v]!),
      tokens[at]!,
      levelFromTotalNoise(noise(at)),
      out.subarray(at * n, (at + 1) * n),
    );
  return out;
}

/** Every run, on the network where the case has one, else on its stub. */
async function sampling(golden: GoldenCase, work: string): Promise<Computed[]> {
  const results: Computed[] = [];
  for (const run of runsOf(golden)) {
    const [runners, plan] = isNetwork(golden)
      ? await openNetwork(golden, run, `${work}/${run.name}`)
      : openStub(golden, run);
    const recorded = recordedRun(golden, run.name);
    const walks = await mapEachInTurn(runners, (runner) => replayTokens(runner, { plan, ...recorded }));
    await disposeRunners(runners);
    const scores = ({ logits, tokens }: TokenTrajectory["calls"][number], s: number) =>
      logScores(golden, logits, tokens, () => s);
    results.push(
      ...trajectoryColumns(golden, run.name, walks, [
        ["log_score_first", false, ({ calls }) => scores(calls[0]!, plan.rows[0]!.totalNoise)],
        ["log_score_last", false, ({ calls }) => scores(calls.at(-1)!, lastNoise(plan))],
        ["q_denoise", false, ({ weights }) => lastWeights(golden, run, plan, weights.at(-1)!)],
      ]),
    );
  }
  return results;
}

/** Total noise at the last call. */
function lastNoise({ final, finalRow, rows }: TokenPlan): number {
  return (final === "none" ? rows.at(-1)! : finalRow).totalNoise;
}

/** Upstream drops the mask's column before the last draw. */
function lastWeights(golden: GoldenCase, run: Run, plan: TokenPlan, weights: Float64Array): Float64Array {
  const categories = tensorOf(golden, `traj.${run.name}.q_denoise`).shape.at(-1)!;
  return firstOfLast({ shape: [plan.process.vocabulary], data: weights }, categories).data;
}

async function openNetwork(
  golden: GoldenCase,
  run: Run,
  work: string,
): Promise<[Each<TokenRunner>, TokenPlan]> {
  const model = load(describeSedd(golden, run, tensorOf(golden, `traj.${run.name}.x`).shape[2]!), work);
  const plan = planOfModel(model);
  if (!isTokenPlan(plan)) return bug("a discrete model has no plan of tokens");
  return [await tokenRunners(model, work), plan];
}

/**
 * The score that the case states instead of a network: with l = A[x_i] + B[x_(i-1)], the log softmax of l over the
 * tokens that are not the mask minus ln(e^s - 1) for absorbing, l e^-s for uniform. No graph: only the host computes it.
 */
function openStub(golden: GoldenCase, run: Run): [Each<TokenRunner>, TokenPlan] {
  const process = processOf(golden);
  const n = process.vocabulary;
  const [own, before] = [weightOf(golden, "stub.A").data, weightOf(golden, "stub.B").data];
  const length = tensorOf(golden, `traj.${run.name}.x`).shape[2]!;
  const runner: TokenRunner = {
    length,
    vocabulary: n,
    async logits({ tokens, level }) {
      const s = level[0]!;
      const out = new Float64Array(tokens.length * n);
      for (const [at, token] of tokens.entries()) {
        const previous = tokens[at % length === 0 ? at + length - 1 : at - 1]!;
        const l = Array.from({ length: n }, (_, v) => own[token * n + v]! + before[previous * n + v]!);
        const sum = l.reduce((total, value, v) => (v === n - 1 ? total : total + Math.exp(value)), 0);
        for (let v = 0; v < n; v++)
          out[at * n + v] =
            process.kind === "uniform"
              ? l[v]! * Math.exp(-s)
              : v === process.mask
                ? 0
                : l[v]! - Math.log(sum) - Math.log(Math.expm1(s));
      }
      return out;
    },
    async dispose() {},
  };
  const plan = planTokens({
    state_space: { kind: process.kind, vocab_size: n },
    time_conditioning: { input: "total_noise" },
    prediction_type: predictionOf(golden),
    ...partsOf(golden, run),
  });
  return [{ reference: runner }, plan];
}
