// MDLM's texts longer than its network: windows of the network's length, each begun with all but the first `stride`
// positions of the one before and masks behind them.

import type { TokenPlan } from "../../../diffusion/discrete/token-plan.js";
import { decodeTokens } from "../../../runtime/discrete/decode-tokens.js";
import type { TokenRunner } from "../../../runtime/token-runner.js";
import type { Computed } from "../compare.js";
import { type Each, mapEach, mapEachInTurn } from "../each.js";
import { type GoldenCase, hasTensor, tensorOf } from "../golden-case.js";
import { entry } from "../layout.js";

/** What upstream is told of its windows. */
export interface Windows {
  readonly stride: number;
  /** Windows after the first. */
  readonly strides: number;
  /** Between two times of the grid from 1 down to below 0. */
  readonly dt: number;
}

/** Upstream's grid: int(1/dt) + 1 updates from 1 - i dt to 1 - (i + 1) dt, the last one to below time 0. */
export function windowPlan(plan: TokenPlan, { dt }: Windows): TokenPlan {
  const updates = Math.floor(1 / dt) + 1;
  const [row] = plan.rows;
  const rows = Array.from({ length: updates }, (_, step) => ({
    ...row!,
    step,
    t: 1 - step * dt,
    to: { ...row!.to, t: 1 - (step + 1) * dt },
  }));
  return { ...plan, rows, final: "none" };
}

/** A run of windows with its recorded uniforms: draw.<run>.u of every update of every window. */
export async function windowRun(
  golden: GoldenCase,
  name: string,
  runners: Each<TokenRunner>,
  plan: TokenPlan,
  { stride, strides }: Windows,
): Promise<Computed[]> {
  const u = tensorOf(golden, `draw.${name}.u`);
  const [, batch = 1, length = 1, n = 1] = u.shape;
  const mask = plan.process.kind === "absorbing" ? plan.process.mask : -1;
  const walks = await mapEachInTurn(runners, async (runner) => {
    const states: Int32Array[] = [];
    const settled: Int32Array[] = [];
    for (let window = 0; window <= strides; window++) {
      const before = settled.at(-1);
      const start = Int32Array.from({ length: batch * length }, (_, at) =>
        before !== undefined && at % length < length - stride ? before[at + stride]! : mask,
      );
      const fixed = { tokens: start, mask: Uint8Array.from(start, (token) => (token === mask ? 0 : 1)) };
      const uniform = (draw: number, row: number, position: number, category: number): number =>
        entry(u, window * plan.rows.length + draw - 1)[(row * length + position) * n + category]!;
      states.push(start);
      for await (const state of decodeTokens(runner, { plan, batch, fixed, noise: { uniform, start } })) {
        if (state.done) settled.push(state.tokens);
        else states.push(state.tokens);
      }
    }
    return { states, text: textOf(settled, batch, length, stride) };
  });
  const columns: Computed[] = [
    { name: `traj.${name}.x`, exact: true, ...mapEach(walks, ({ states }) => states.flatMap((x) => [...x])) },
    { name: `out.${name}.tokens`, exact: true, ...mapEach(walks, ({ text }) => text) },
  ];
  return columns.filter((one) => hasTensor(golden, one.name));
}

/** The first `stride` positions of every window, then the rest of the last. */
function textOf(windows: readonly Int32Array[], batch: number, length: number, stride: number): number[] {
  return Array.from({ length: batch }, (_, row) =>
    windows.flatMap((tokens, k) => {
      const own = tokens.subarray(row * length, (row + 1) * length);
      return [...(k + 1 < windows.length ? own.subarray(0, stride) : own)];
    }),
  ).flat();
}
