// ELF's sampling loop on one back end, with upstream's recorded noise. The plan folds the noise that a step mixes in into
// the update before it, upstream records the state in between: that one is made from the prediction here.

import type { SamplerPlan } from "../../../diffusion/index.js";
import type { FloatArray, StepRunner } from "../../../runtime/step-runner.js";
import { bug } from "../../../support/diagnostic.js";
import { firstTensor, type GoldenCase, numberOption, tensorOf, weightShape } from "../golden-case.js";
import { entry, joined } from "../layout.js";
import { grid } from "./elf-description.js";

/** What upstream records of a run. */
export interface ElfRun {
  readonly states: Float64Array;
  readonly predictions: Float64Array;
  readonly logits: FloatArray;
  readonly tokens: Int32Array;
}

export async function sampleElf(golden: GoldenCase, plan: SamplerPlan, runner: StepRunner): Promise<ElfRun> {
  const times = grid(golden);
  const start = tensorOf(golden, "draw.z_init");
  const batch = start.shape[0]!;
  const given = givenPositions(golden, start.data);
  const noises = firstTensor(golden, "draw.sde_eps");
  const silence = new Float64Array(start.data.length);
  const eps = (step: number): Float64Array =>
    noises !== undefined && step < noises.shape[0]! ? entry(noises, step) : silence;
  const leastLeft = numberOption(golden, "t_eps") ?? 0.05;
  const noiseScale = numberOption(golden, "noise_scale") ?? 2;
  const guidance = numberOption(golden, "cfg_scale") ?? 1;
  const told = weightShape(golden, "self_cond_cfg_tokens")?.at(-2) ?? 0;
  const selfGuidance = told > 0 ? undefined : (numberOption(golden, "self_cond_cfg_scale") ?? 1);

  const states: FloatArray[] = [given.set(start.data)];
  const predictions: FloatArray[] = [];
  const firstTime = plan.rows[0]!.level;
  // The state that the network sees first; its time says nothing about how much of it is noise, the step does.
  const firstKeep = plan.rows.length < 2 ? 1 : keepOf(golden, times[0]!, times[1]!);
  let seen: FloatArray = given.set(
    states[0]!.map((z, i) => firstKeep * z + (1 - firstKeep) * noiseScale * eps(0)[i]!),
  );
  if (Math.abs(firstTime - firstKeep * times[0]!) > 1e-12)
    bug("the plan's first time is not the churned one");
  // Nothing was predicted yet; what is given is known.
  let previous: FloatArray = given.set(silence);
  for (const [i, row] of plan.rows.entries()) {
    const step = (x: FloatArray, previousX0: FloatArray) =>
      runner.step({
        batch,
        x,
        previousX0,
        noise: eps(i + 1),
        row,
        fixedMask: new Uint8Array(batch * runner.length),
        fixedX: silence,
      });
    // Without tokens that tell the network its scale, guidance of self-conditioning is a second call without it.
    const call = async (x: FloatArray, previousX0: FloatArray, nothing: FloatArray) => {
      if (selfGuidance === undefined || selfGuidance === 1) return step(x, previousX0);
      const alone = await step(x, nothing);
      if (i === 0 || selfGuidance === 0) return alone;
      const told = await step(x, previousX0);
      const mixed = (a: FloatArray, b: FloatArray) =>
        a.map((value, k) => value + selfGuidance * (b[k]! - value));
      return { ...told, x0: mixed(alone.x0, told.x0), x: mixed(alone.x, told.x) };
    };
    const conditional = await call(seen, previous, given.set(silence));
    let x0: FloatArray = conditional.x0;
    let next: FloatArray = conditional.x;
    if (guidance !== 1) {
      const free = await call(given.clear(seen), given.clear(previous), silence);
      x0 = x0.map((value, k) => free.x0[k]! + guidance * (value - free.x0[k]!));
      // At free positions both calls update the same x, so updates mix as predictions do.
      next = next.map((value, k) => free.x[k]! + guidance * (value - free.x[k]!));
    }
    x0 = given.set(x0);
    const a = (times[i + 1]! - row.level) / Math.max(1 - row.level, leastLeft);
    const last = i + 1 === plan.rows.length;
    states.push(given.set(last ? next : Float64Array.from(x0, (value, k) => a * value + (1 - a) * seen[k]!)));
    predictions.push(x0);
    seen = given.set(next);
    previous = x0;
  }
  const round = runner.round ?? bug("the model has no @round");
  const { logits, tokens } = await round.call(runner, seen, batch);
  return { states: joined(states), predictions: joined(predictions), logits, tokens };
}

/** The part of the state that is kept before a step (SDE), 1 for the ODE. */
function keepOf(golden: GoldenCase, from: number, to: number): number {
  if (golden.options.get("method") !== "sde") return 1;
  return Math.min(1, Math.max(0, 1 - (numberOption(golden, "sde_gamma") ?? 0) * (to - from)));
}

/** Positions whose state is given (mask 1), of cases that have some. */
function givenPositions(golden: GoldenCase, like: Float64Array) {
  const mask = firstTensor(
    golden,
    "in.cond_mask",
    "draw.cond_mask",
    "in.cond_seq_mask",
    "draw.cond_seq_mask",
  );
  const values = firstTensor(golden, "in.cond_seq", "draw.cond_seq");
  if (mask === undefined || values === undefined) {
    if ((numberOption(golden, "conditioning") ?? 0) !== 0) bug("the given states of the case were not found");
    const same = (x: FloatArray): FloatArray => x;
    return { set: same, clear: same };
  }
  const size = like.length / mask.data.length;
  const isGiven = (k: number): boolean => mask.data[Math.floor(k / size)] === 1;
  return {
    set: (x: FloatArray): FloatArray => x.map((value, k) => (isGiven(k) ? values.data[k]! : value)),
    clear: (x: FloatArray): FloatArray => x.map((value, k) => (isGiven(k) ? 0 : value)),
  };
}
