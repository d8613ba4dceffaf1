// Dream: sample_tokens with its confidences, and the decoding loops around the case's stub network.

import { argmax } from "../../../diffusion/discrete/choice.js";
import type {
  QuotaDescription,
  ScoreName,
  TokenSamplerDescription,
} from "../../../diffusion/discrete/sampler-description.js";
import { isMasked } from "../../../diffusion/discrete/token-process.js";
import { propose } from "../../../runtime/discrete/confidence/propose.js";
import type { TokenDraws } from "../../../runtime/discrete/driver.js";
import { bug } from "../../../support/diagnostic.js";
import type { Computed } from "../compare.js";
import { mapEach } from "../each.js";
import {
  type Facts,
  type GoldenCase,
  hasTensor,
  numberOption,
  objectOf,
  tensorOf,
  weightShape,
} from "../golden-case.js";
import { decodePrompt, noDraws, stubNetwork, timesOf } from "./stub-decoder.js";
import type { GoldenSystem } from "./system.js";

export const dreamDecoding: GoldenSystem = {
  name: "Dream decoding",
  covers: (golden) => golden.system === "Dream" && weightShape(golden, "stub.E") !== undefined,
  compute: async (golden) => [...units(golden), ...(await runs(golden))],
};

/** sample_tokens on every row of in.logits. */
function units(golden: GoldenCase): Computed[] {
  if (!hasTensor(golden, "in.logits")) return [];
  const { shape, data } = tensorOf(golden, "in.logits");
  const [rows = 1, n = 1] = shape;
  return Object.entries(objectOf(golden.options.get("units"))).flatMap(([name, facts]) => {
    const unit = objectOf(facts);
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
  for (const [name, facts] of Object.entries(objectOf(golden.options.get("runs")))) {
    if (!hasTensor(golden, `traj.${name}.x`)) continue;
    const run = objectOf(facts);
    const length = tensorOf(golden, `traj.${name}.x`).shape[2]!;
    const walks = await decodePrompt(stubNetwork(golden, length, true), {
      sampler: samplerOf(run),
      times: timesOf(Number(run.steps) + 1, numberOption(golden, "eps") ?? 1e-3),
      mask,
      prompt: tensorOf(golden, "in.prompt"),
      draws: drawsOf(golden, name, run, mask),
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
      ...mapEach(walks, ({ states }) => states.flatMap((state) => [...state])),
    });
  }
  return results;
}

async function mapRaw(golden: GoldenCase, name: string, length: number): Promise<Float64Array> {
  const { shape, data } = tensorOf(golden, `traj.${name}.x`);
  const batch = shape[1]!;
  const tokens = Int32Array.from(data.subarray(0, batch * length));
  const logits = await stubNetwork(golden, length).reference.logits({ batch, tokens, level: [0] });
  return Float64Array.from(logits);
}

const scores: Readonly<Record<string, ScoreName>> = {
  maskgit_plus: "probability",
  topk_margin: "margin",
  entropy: "neg_entropy",
};

function samplerOf(run: Facts): TokenSamplerDescription {
  const algorithm = String(run.alg ?? "origin");
  const threshold = typeof run.confidence_threshold === "number" ? run.confidence_threshold : undefined;
  const quota: QuotaDescription =
    algorithm === "origin"
      ? { kind: "independent" }
      : threshold === undefined
        ? { kind: "rate" }
        : { kind: "uniform", threshold };
  return {
    kind: "confidence",
    score: scores[algorithm] ?? "probability",
    score_from: "choice",
    quota,
    temperature: Number(run.temperature ?? 0),
    top_k: Number(run.top_k ?? 0),
    top_p: Number(run.top_p ?? 1),
    select_temperature: Number(run.alg_temp ?? 0),
  };
}

/**
 * What upstream drew, in its order: `rand` are the transfer uniforms of one step over its masked positions in row-major
 * order, `multinomial` chosen tokens of a step, or chosen positions of a row where positions are drawn.
 */
function drawsOf(golden: GoldenCase, name: string, run: Facts, mask: number): TokenDraws {
  const recorded = golden.tensors
    .names()
    .filter((tensor) => tensor.startsWith(`draw.${name}.`))
    .sort();
  if (recorded.length === 0) return noDraws;
  const { shape, data } = tensorOf(golden, `traj.${name}.x`);
  const [, batch = 1, length = 1] = shape;
  const size = batch * length;
  const process = { kind: "absorbing", vocabulary: Number.POSITIVE_INFINITY, mask } as const;
  /** Number of a masked position of the state before draw k among all masked ones, in row-major order. */
  const numberOf = (draw: number, row: number, position: number): number => {
    const before = data.subarray((draw - 1) * size, (draw - 1) * size + row * length + position);
    return before.reduce((count, token) => count + (isMasked(process, token) ? 1 : 0), 0);
  };
  const chosenPositions = Number(run.alg_temp ?? 0) > 0;
  const random = recorded.filter((tensor) => tensor.endsWith("_rand"));
  const choices = recorded.filter((tensor) => !tensor.endsWith("_rand"));
  const perStep = chosenPositions && Number(run.temperature ?? 0) > 0 ? 2 : 1;
  return {
    uniform(draw, row, position) {
      const source = random[draw - 1] ?? bug(`the case has no uniforms of step ${draw} of ${name}`);
      return tensorOf(golden, source).data[numberOf(draw, row, position)]!;
    },
    chosen(draw, row, position) {
      if (Number(run.temperature ?? 0) === 0) return undefined;
      const source = choices[(draw - 1) * perStep];
      if (source === undefined) return undefined;
      return tensorOf(golden, source).data[numberOf(draw, row, position)];
    },
    places(draw, row, count) {
      if (!chosenPositions || count === 0) return undefined;
      const source = choices[(draw - 1) * perStep + perStep - 1];
      if (source === undefined) return undefined;
      const { shape: drawn, data: positions } = tensorOf(golden, source);
      return Array.from(positions.subarray(row * drawn.at(-1)!, row * drawn.at(-1)! + count));
    },
  };
}
