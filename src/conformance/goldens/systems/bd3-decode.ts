// BD3-LM's sampling of blocks from left to right around the case's stub network: first-hitting, or a grid of times, with
// its nucleus.

import type { TokenPlan } from "../../../diffusion/discrete/token-plan.js";
import { resolveSchedule } from "../../../diffusion/index.js";
import type { TokenDraws } from "../../../runtime/discrete/driver.js";
import { bug } from "../../../support/diagnostic.js";
import type { Computed } from "../compare.js";
import { mapEach } from "../each.js";
import {
  checkedFields,
  type Facts,
  type GoldenCase,
  hasTensor,
  namedEntries,
  numberOption,
  tensorOf,
} from "../golden-case.js";
import { entry } from "../layout.js";
import { bd3Schedules } from "./bd3-schedules.js";
import { decodePrompt, firstState, stubOfBlocks, timesOf } from "./stub-decoder.js";

const fields = [
  ...["name", "num_steps", "steps", "first_hitting", "nucleus_p", "noise", "noise_type", "kv_cache"],
  ...["block_size", "var_length"],
];

/** Every run of the case. */
export async function bd3Runs(golden: GoldenCase): Promise<Computed[]> {
  const results: Computed[] = [];
  for (const [name, facts] of namedEntries(golden.options.get("runs"))) {
    if (!hasTensor(golden, `traj.${name}.x`)) continue;
    const run = checkedFields(golden, `runs.${name}`, facts, fields);
    const block =
      numberOption(golden, "block_size", "block_length") ?? bug("the case does not say its block size");
    const recorded = tensorOf(golden, `traj.${name}.x`);
    const length = recorded.shape[2]!;
    const steps = Number(run.num_steps ?? run.steps ?? numberOption(golden, "num_steps", "N") ?? block);
    const hits = run.first_hitting !== false;
    const walks = await decodePrompt(stubOfBlocks(golden, length, block), {
      sampler: {
        kind: hits ? "first_hitting" : "ancestral",
        final: "none",
        top_p: Number(run.nucleus_p ?? numberOption(golden, "nucleus_p") ?? 1),
        nucleus_edge: "out",
        blocks: { length: block, cache: "exact" },
      },
      times: timesOf(steps, 0),
      mask: maskOf(golden),
      start: firstState(golden, name),
      draws: drawsOf(golden, name, block, hits),
      planned: (plan) => ({
        ...plan,
        prediction: { target: "subs" },
        ...(!hits && { rows: gridOf(plan, run, steps) }),
      }),
    });
    const full = (state: Int32Array, b: number): boolean =>
      state.subarray(b * block, (b + 1) * block).every((token) => token !== maskOf(golden));
    const states = mapEach(walks, (walk) =>
      // Upstream leaves the grid when a block is full; ours has its updates for every block all the same.
      walk.states.filter(
        (_, k) => k === 0 || hits || !full(walk.states[k - 1]!, Math.floor((k - 1) / (steps - 1))),
      ),
    );
    const changed = (all: readonly Int32Array[]): number =>
      all.filter((state, k) => k > 0 && state.some((token, i) => token !== all[k - 1]![i])).length;
    const columns: Computed[] = [
      {
        name: `traj.${name}.x`,
        exact: true,
        ...mapEach(states, (all) => all.flatMap((state) => [...state])),
      },
      { name: `out.${name}.tokens`, exact: true, ...mapEach(states, (all) => all.at(-1)!) },
      { name: `traj.${name}.nfe`, exact: true, ...mapEach(states, (all) => [changed(all)]) },
      { name: `traj.${name}.logits_first`, ...mapEach(walks, ({ calls }) => calls[0]!) },
    ];
    results.push(...columns.filter((one) => hasTensor(golden, one.name)));
  }
  return results;
}

function maskOf(golden: GoldenCase): number {
  return (
    numberOption(golden, "mask_index", "mask_id", "mask_token_id") ?? bug("the case does not say its mask")
  );
}

/** Upstream's grid: N times from 1 to 0, each step leading 1/N down; at time 0 it divides by no noise at all. */
function gridOf(plan: TokenPlan, run: Facts, steps: number): TokenPlan["rows"] {
  const name = String(run.noise ?? run.noise_type ?? "loglinear");
  const schedule = resolveSchedule(bd3Schedules[name] ?? bug(`BD3-LM has no noise schedule ${name}`));
  if (schedule.kind !== "continuous") return bug("BD3-LM's schedules are functions of time");
  return plan.rows.map((row) => ({
    ...row,
    ...schedule.at(row.t),
    to: { ...row.to, t: row.t - 1 / steps, ...schedule.at(row.t - 1 / steps) },
  }));
}

/** Recorded numbers by the call: t of the next time, ind of the position among the masked ones, u of the tokens. */
function drawsOf(golden: GoldenCase, run: string, block: number, hits: boolean): TokenDraws {
  const recorded = (name: string) => tensorOf(golden, `draw.${run}.${name}`);
  const masked = (call: number): number => {
    const state = entry(tensorOf(golden, `traj.${run}.x`), call);
    const first = Math.floor(state.indexOf(maskOf(golden)) / block) * block;
    return state.subarray(first, first + block).filter((token) => token === maskOf(golden)).length;
  };
  const seen: number[] = [];
  return {
    uniform(draw, row, position, category) {
      if (seen.at(-1) !== draw) seen.push(draw);
      const at = seen.length - 1;
      // First-hitting takes a draw for the time and the position, and one for the token.
      const call = hits ? Math.floor(at / 2) : at;
      if (hits && at % 2 === 0)
        return category === 0
          ? recorded("t").data[call]!
          : (recorded("ind").data[call]! + 0.5) / masked(call);
      const u = recorded("u");
      const [size, n] = [u.shape.at(-2)!, u.shape.at(-1)!];
      return entry(u, call)[(row * size + (position % block)) * n + category]!;
    },
  };
}
