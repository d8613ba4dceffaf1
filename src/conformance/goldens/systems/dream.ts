// Dream: sample_tokens with its confidences, and the decoding loops around the case's stub network.

import { argmax } from "../../../diffusion/discrete/choice.js";
import type {
  QuotaDescription,
  ScoreName,
  TokenSamplerDescription,
} from "../../../diffusion/discrete/sampler-description.js";
import { propose } from "../../../runtime/discrete/confidence/propose.js";
import type { TokenDraws } from "../../../runtime/discrete/driver.js";
import { bug, fail } from "../../../support/diagnostic.js";
import type { Computed } from "../compare.js";
import { mapEach } from "../each.js";
import {
  checkedFields,
  type Facts,
  type GoldenCase,
  type GoldenTensor,
  hasTensor,
  namedEntries,
  numberOption,
  tensorOf,
  weightShape,
} from "../golden-case.js";
import { entry } from "../layout.js";
import { decodePrompt, firstState, noDraws, stubNetwork, timesOf } from "./stub-decoder.js";
import { type GoldenSystem, isNamed } from "./system.js";

export const dreamDecoding: GoldenSystem = {
  name: "Dream decoding",
  covers: (golden) => isNamed(golden, "dream") && weightShape(golden, "stub.E") !== undefined,
  compute: async (golden) => [...units(golden), ...(await runs(golden))],
};

const choiceFields = ["name", "temperature", "top_p", "top_k", "margin_confidence", "neg_entropy"];
const runFields = [
  ...["name", "alg", "steps", "temperature", "top_p", "top_k", "alg_temp", "eps"],
  ...["threshold", "confidence_threshold"],
];

/** sample_tokens on every row of in.logits. */
function units(golden: GoldenCase): Computed[] {
  if (!hasTensor(golden, "in.logits")) return [];
  const { shape, data } = tensorOf(golden, "in.logits");
  const [rows = 1, n = 1] = shape;
  return namedEntries(golden.options.get("units")).flatMap(([name, facts]) => {
    const unit = checkedFields(golden, `units.${name}`, facts, choiceFields);
    const drawn = [`draw.unit_${name}.x0`, `out.unit_${name}.x0`].find((tensor) => hasTensor(golden, tensor));
    const proposals = Array.from({ length: rows }, (_, i) =>
      propose(data.subarray(i * n, (i + 1) * n), {
        temperature: Number(unit.temperature ?? 0),
        top_k: Number(unit.top_k ?? 0),
        top_p: Number(unit.top_p ?? 1),
        score:
          unit.margin_confidence === true
            ? "margin"
            : unit.neg_entropy === true
              ? "neg_entropy"
              : "probability",
        scoreFrom: "choice",
        suppressed: [],
        // torch.multinomial's choice is the recorded one.
        draw: (p) => (drawn === undefined ? argmax(p) : tensorOf(golden, drawn).data[i]!),
        random: () => bug("no random scores here"),
        position: i,
      }),
    );
    const results: Computed[] = [
      { name: `out.unit_${name}.confidence`, reference: proposals.map(({ score }) => score) },
      { name: `out.unit_${name}.x0`, reference: proposals.map(({ token }) => token), exact: true },
    ];
    return results.filter((one) => hasTensor(golden, one.name));
  });
}

/** _sample(): every run of the case. */
async function runs(golden: GoldenCase): Promise<Computed[]> {
  const results: Computed[] = [];
  const mask =
    numberOption(golden, "mask_token_id", "mask_id") ?? bug("the case does not say its mask token");
  for (const [name, facts] of namedEntries(golden.options.get("runs"))) {
    if (!hasTensor(golden, `traj.${name}.x`)) continue;
    const run = checkedFields(golden, `runs.${name}`, facts, runFields);
    const recorded = tensorOf(golden, `traj.${name}.x`);
    const length = recorded.shape[2]!;
    const times = timesOf(Number(run.steps) + 1, Number(run.eps ?? numberOption(golden, "eps") ?? 1e-3));
    const walks = await decodePrompt(stubNetwork(golden, length, true), {
      sampler: samplerOf(run),
      times,
      mask,
      start: firstState(golden, name),
      draws: recordedDraws(golden, name, { run, times, mask }),
    });
    const first = `traj.${name}.logits_first`;
    if (hasTensor(golden, first)) {
      // Upstream records what the network says before the shift.
      const raw = await mapRaw(golden, name, length);
      results.push({ name: first, reference: raw });
    }
    results.push({
      name: `traj.${name}.x`,
      exact: true,
      ...mapEach(walks, ({ states }) => restful(states, recorded.shape[0]!).flatMap((state) => [...state])),
    });
  }
  return results;
}

/** The states, the last one repeated up to `count`: upstream goes on for a number of steps when nothing is masked. */
function restful(states: readonly Int32Array[], count: number): readonly Int32Array[] {
  return [...states, ...new Array<Int32Array>(Math.max(0, count - states.length)).fill(states.at(-1)!)];
}

async function mapRaw(golden: GoldenCase, name: string, length: number): Promise<Float64Array> {
  const tokens = firstState(golden, name);
  const batch = tokens.length / length;
  const logits = await stubNetwork(golden, length).reference.logits({ batch, tokens, level: [0] });
  return Float64Array.from(logits);
}

const scores: Readonly<Record<string, ScoreName>> = {
  maskgit_plus: "probability",
  topk_margin: "margin",
  entropy: "neg_entropy",
};

function samplerOf(run: Facts): TokenSamplerDescription {
  return {
    kind: "confidence",
    score: scores[algorithmOf(run)] ?? "probability",
    score_from: "choice",
    quota: quotaOf(run),
    temperature: Number(run.temperature ?? 0),
    top_k: Number(run.top_k ?? 0),
    top_p: Number(run.top_p ?? 1),
    select_temperature: drawsPlaces(run) ? Number(run.alg_temp) : 0,
  };
}

const algorithmOf = (run: Facts): string => String(run.alg ?? "origin");

function quotaOf(run: Facts): QuotaDescription {
  const algorithm = algorithmOf(run);
  if (algorithm === "origin") return { kind: "independent" };
  const threshold = run.threshold ?? run.confidence_threshold;
  if (algorithm !== "confidence_threshold" && threshold === undefined) return { kind: "rate", of: "batch" };
  // 0.9 is the default of upstream's _sample.
  return { kind: "uniform", threshold: Number(threshold ?? 0.9) };
}

/** Upstream draws positions only where it ranks them for a rate. */
const drawsPlaces = (run: Facts): boolean => Number(run.alg_temp ?? 0) > 0 && quotaOf(run).kind === "rate";

/** What one step drew. */
interface StepDraws {
  /** Uniforms and chosen tokens by row * length + position. */
  readonly uniforms: ReadonlyMap<number, number>;
  readonly tokens: ReadonlyMap<number, number>;
  /** Chosen positions, [B, count]. */
  readonly places?: GoldenTensor;
}

/**
 * What upstream drew, draw.<run>.<number>_<kind> in its order: in a step of alg origin `rand`, the transfer uniforms of
 * the masked positions in row-major order, then the tokens of those that are transferred; else the tokens of all masked
 * positions, then the positions where those are drawn. Tokens are drawn at a temperature only; nothing is drawn for
 * nobody.
 */
function recordedDraws(
  golden: GoldenCase,
  name: string,
  { run, times, mask }: { readonly run: Facts; readonly times: readonly number[]; readonly mask: number },
): TokenDraws {
  const recorded = golden.tensors
    .names()
    .filter((tensor) => tensor.startsWith(`draw.${name}.`) && tensorOf(golden, tensor).data.length > 0)
    .sort();
  if (recorded.length === 0) return noDraws;
  const take = (kind: string): GoldenTensor => {
    const next = recorded.shift() ?? `draw.${name}`;
    if (next.endsWith(kind)) return tensorOf(golden, next);
    return fail("goldens/draws", `run ${name}: upstream's next draw is ${next}, not one of ${kind}`);
  };
  const states = tensorOf(golden, `traj.${name}.x`);
  const [count = 1, batch = 1, length = 1] = states.shape;
  const warm = Number(run.temperature ?? 0) > 0;
  const byPosition = (positions: readonly number[], kind: string): ReadonlyMap<number, number> => {
    if (positions.length === 0) return new Map();
    const { data } = take(kind);
    return new Map(positions.map((at, i) => [at, data[i]!]));
  };
  const steps: StepDraws[] = [];
  for (let k = 0; k + 1 < count && recorded.length > 0; k++) {
    const state = entry(states, k);
    const masked = [...state.keys()].filter((at) => state[at] === mask);
    const last = k + 2 >= times.length;
    const rate = last ? 1 : 1 - times[k + 1]! / times[k]!;
    const none: ReadonlyMap<number, number> = new Map();
    if (quotaOf(run).kind === "independent") {
      const uniforms = byPosition(masked, "rand");
      const moved = masked.filter((at) => uniforms.get(at)! < rate);
      steps.push({ uniforms, tokens: warm ? byPosition(moved, "multinomial") : none });
      continue;
    }
    const tokens = warm ? byPosition(masked, "multinomial") : none;
    const drawn = drawsPlaces(run) && Math.floor((masked.length / batch) * rate) > 0;
    steps.push({ uniforms: none, tokens, ...(drawn && { places: take("multinomial") }) });
  }
  const ofStep = (draw: number): StepDraws =>
    steps[draw - 1] ?? fail("goldens/draws", `run ${name}: the case has no draws of step ${draw}`);
  return {
    uniform: (draw, row, position) =>
      ofStep(draw).uniforms.get(row * length + position) ??
      fail("goldens/draws", `run ${name}, step ${draw}: no uniform of position ${position}`),
    chosen: (draw, row, position) => (warm ? ofStep(draw).tokens.get(row * length + position) : undefined),
    places(draw, row, wanted) {
      if (wanted === 0) return [];
      const { places } = ofStep(draw);
      return places === undefined ? undefined : Array.from(entry(places, row).subarray(0, wanted));
    },
  };
}
