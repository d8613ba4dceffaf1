// LLaDA's confidence decoding and Fast-dLLM's selection by threshold, around the case's stub network or a whole network.

import { argmax } from "../../../diffusion/discrete/choice.js";
import type { TokenSamplerDescription } from "../../../diffusion/discrete/sampler-description.js";
import { propose } from "../../../runtime/discrete/confidence/propose.js";
import { ranking, select } from "../../../runtime/discrete/confidence/quota.js";
import { drawsPerBlock } from "../../../runtime/discrete/decoder.js";
import type { TokenDraws } from "../../../runtime/discrete/driver.js";
import type { TokenRunner } from "../../../runtime/token-runner.js";
import { bug } from "../../../support/diagnostic.js";
import type { Computed } from "../compare.js";
import { type Each, mapEach } from "../each.js";
import {
  checkedFields,
  type Facts,
  type GoldenCase,
  hasTensor,
  namedEntries,
  numberOption,
  tensorOf,
  weightShape,
} from "../golden-case.js";
import { entry } from "../layout.js";
import { type DecodingRun, decodePrompt, firstState, noDraws, stubNetwork, timesOf } from "./stub-decoder.js";
import { type GoldenSystem, isNamed } from "./system.js";

export const lladaDecoding: GoldenSystem = {
  name: "LLaDA decoding",
  covers: (golden) => isNamed(golden, "llada") && weightShape(golden, "stub.E") !== undefined,
  compute: (golden) => lladaRuns(golden, (length) => Promise.resolve(stubNetwork(golden, length))),
};

export const fastDllm: GoldenSystem = {
  name: "Fast-dLLM",
  covers: (golden) => isNamed(golden, "fastdllm"),
  compute: async (golden) => [
    ...units(golden),
    ...(await lladaRuns(golden, (length) => Promise.resolve(stubNetwork(golden, length)))),
  ],
};

const runFields = [
  ...["name", "steps", "gen_length", "block_length", "temperature", "cfg_scale", "remasking"],
  ...["threshold", "factor", "mask_id"],
];
const unitFields = ["name", "temperature", "num_transfer", "threshold", "factor", "remasking"];

/** Every run of the case on the network that `open` gives for a length. */
export async function lladaRuns(
  golden: GoldenCase,
  open: (length: number) => Promise<Each<TokenRunner>>,
  close: (runners: Each<TokenRunner>) => Promise<void> = async () => {},
): Promise<Computed[]> {
  const results: Computed[] = [];
  for (const [name, facts] of namedEntries(golden.options.get("runs"))) {
    if (!hasTensor(golden, `traj.${name}.x`)) continue;
    const run = checkedFields(golden, `runs.${name}`, facts, runFields);
    const length = tensorOf(golden, `traj.${name}.x`).shape[2]!;
    const runners = await open(length);
    const sampler = samplerOf(run);
    const steps = stepsPerBlock(run);
    const idles = sampler.quota?.kind === "uniform";
    const walks = await decodePrompt(runners, {
      sampler,
      times: timesOf(steps + 1, 0),
      mask: maskOf(golden),
      start: firstState(golden, name),
      draws: drawsOf(golden, name, (draw) => (idles ? callNumber(draw, steps, length) : undefined)),
      idles,
    });
    await close(runners);
    results.push(...runColumns(golden, name, walks));
  }
  return results;
}

function maskOf(golden: GoldenCase): number {
  return numberOption(golden, "mask_id", "mask_token_id") ?? bug("the case does not say its mask token");
}

function stepsPerBlock(run: Facts): number {
  const [steps, generated, block] = ["steps", "gen_length", "block_length"].map((key) => Number(run[key]));
  return Math.max(1, Math.floor(steps! / (generated! / block!)));
}

/** LLaDA's generate() as a sampler. */
function samplerOf(run: Facts): TokenSamplerDescription {
  const guidance = Number(run.cfg_scale ?? 0);
  return {
    kind: "confidence",
    score: run.remasking === "random" ? "random" : "probability",
    quota:
      typeof run.threshold === "number"
        ? { kind: "threshold", threshold: run.threshold }
        : typeof run.factor === "number"
          ? { kind: "factor", factor: run.factor }
          : { kind: "uniform" },
    temperature: Number(run.temperature ?? 0),
    blocks: { length: Number(run.block_length), from: "prompt", leftovers: "compete" },
    ...(guidance > 0 && { guidance: { scale: guidance } }),
  };
}

/** Number of upstream's call that draws `draw` where every block takes `steps` calls. */
function callNumber(draw: number, steps: number, length: number): number {
  const perBlock = drawsPerBlock(steps, length);
  return Math.floor((draw - 1) / perBlock) * steps + ((draw - 1) % perBlock);
}

/**
 * Recorded uniforms: u of the choice, conf of the random score, by the number of the call; where `numberOf` knows none,
 * calls are counted as they draw.
 */
function drawsOf(
  golden: GoldenCase,
  run: string,
  numberOf: (draw: number) => number | undefined,
): TokenDraws {
  const [u, conf] = [`draw.${run}.u`, `draw.${run}.conf`].map((name) =>
    hasTensor(golden, name) ? tensorOf(golden, name) : undefined,
  );
  if (u === undefined && conf === undefined) return noDraws;
  const seen: number[] = [];
  return {
    uniform(draw, row, position, category) {
      if (seen.at(-1) !== draw) seen.push(draw);
      const call = numberOf(draw) ?? seen.length - 1;
      const n = u?.shape[3] ?? 0;
      const length = (u ?? conf)!.shape[2]!;
      const source = category < n ? u : conf;
      const at = row * length + position;
      if (source === undefined) return bug(`the case has no random scores of ${run}`);
      return entry(source, call)[category < n ? at * n + category : at]!;
    },
  };
}

/** What a run went through, under upstream's names. */
export function runColumns(golden: GoldenCase, name: string, walks: Each<DecodingRun>): Computed[] {
  const columns: readonly (readonly [string, boolean, (run: DecodingRun) => ArrayLike<number>])[] = [
    [`traj.${name}.x`, true, ({ states }) => states.flatMap((state) => [...state])],
    [`out.${name}.tokens`, true, ({ states }) => states.at(-1)!],
    [`traj.${name}.logits_first`, false, ({ calls }) => calls[0]!],
    [`traj.${name}.logits_last`, false, ({ calls }) => calls.at(-1)!],
    [`traj.${name}.nfe`, true, ({ calls }) => [calls.length]],
  ];
  return columns
    .filter(([column]) => hasTensor(golden, column))
    .map(([column, exact, of]) => ({ name: column, exact, ...mapEach(walks, of) }));
}

/** get_transfer_index on in.logits: the proposals of masked positions and which of them are taken. */
function units(golden: GoldenCase): Computed[] {
  if (!hasTensor(golden, "in.logits")) return [];
  const { shape, data } = tensorOf(golden, "in.logits");
  const [batch = 1, length = 1, n = 1] = shape;
  const tokens = tensorOf(golden, "in.x").data;
  const mask = maskOf(golden);
  return namedEntries(golden.options.get("units")).flatMap(([name, facts]) => {
    const unit = checkedFields(golden, `units.${name}`, facts, unitFields);
    const uniforms = hasTensor(golden, `draw.unit_${name}.u`)
      ? tensorOf(golden, `draw.unit_${name}.u`).data
      : undefined;
    const shares = Array.isArray(unit.num_transfer) ? unit.num_transfer.map(Number) : [];
    const x0 = Array.from(tokens);
    const taken = new Array<number>(tokens.length).fill(0);
    for (let row = 0; row < batch; row++) {
      const open = Array.from({ length }, (_, i) => i).filter((i) => tokens[row * length + i] === mask);
      const proposals = new Map(
        open.map((i) => {
          const at = row * length + i;
          const proposal = propose(data.subarray(at * n, (at + 1) * n), {
            temperature: Number(unit.temperature ?? 0),
            score: "probability",
            scoreFrom: "logits",
            suppressed: [],
            // log p - T ln(-ln u) has the same best token as p^(1/T) / -ln u.
            draw: (p) =>
              argmax(p.map((value, v) => Math.log(value) - Math.log(-Math.log(uniforms![at * n + v]!)))),
            random: () => bug("no random scores here"),
            position: i,
          });
          return [i, proposal] as const;
        }),
      );
      for (const i of open) x0[row * length + i] = proposals.get(i)!.token;
      const share = shares[row] ?? shares[0] ?? 0;
      const best = (count: number) => ranking(open, proposals).slice(0, count);
      const view = {
        open,
        proposals,
        step: 0,
        steps: 1,
        atStart: share,
        size: share,
        mean: share,
        rate: 1,
        left: 0,
        putOff: 0,
        uniform: () => 0,
        best,
      };
      const { positions } =
        typeof unit.threshold === "number"
          ? select(view, { kind: "threshold", threshold: unit.threshold })
          : select(view, { kind: "uniform" });
      for (const i of positions) taken[row * length + i] = 1;
    }
    const results: Computed[] = [
      { name: `out.unit_${name}.x0`, reference: x0, exact: true },
      { name: `out.unit_${name}.transfer`, reference: taken, exact: true },
    ];
    return results.filter((one) => hasTensor(golden, one.name));
  });
}
