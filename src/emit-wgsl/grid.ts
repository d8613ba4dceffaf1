// How many workgroups, and which work an invocation or workgroup has.

import type { Limits } from "./limits.js";
import { plus, times } from "./place.js";
import type { KernelWriter } from "./writer.js";

export interface Work {
  readonly grid: readonly [number, number, number];
  readonly workgroupSize: readonly [number, number, number];
}

/** The grid of `groups` workgroups: one row, or several where a row has a limit. */
export function gridOf(groups: number, limits: Limits): readonly [number, number, number] {
  const most = limits.maxComputeWorkgroupsPerDimension;
  return groups <= most ? [groups, 1, 1] : [most, Math.ceil(groups / most), 1];
}

/** The number of this workgroup among `groups`, as `gridOf` lays them out. */
export function groupIndex(groups: number, limits: Limits): string {
  return groups <= limits.maxComputeWorkgroupsPerDimension
    ? "group.x"
    : plus(times("group.y", limits.maxComputeWorkgroupsPerDimension), "group.x");
}

/** Runs `body` for i = 0 .. n-1, an invocation each; invocations beyond n do nothing. */
export function invocations(writer: KernelWriter, n: number, body: (i: string) => void): Work {
  const width = Math.min(writer.limits.maxComputeInvocationsPerWorkgroup, 256, n <= 64 ? 64 : 256);
  const groups = Math.ceil(n / width);
  const i = writer.bind(plus(times(groupIndex(groups, writer.limits), width), "lane"), "i");
  if (groups * width === n && gridOf(groups, writer.limits)[1] === 1) body(i);
  else writer.block(`if (${i} < ${n}u)`, () => body(i));
  return { grid: gridOf(groups, writer.limits), workgroupSize: [width, 1, 1] };
}

/** Runs `body` for each of `groups` workgroups; the body must treat its number as uniform. */
export function workgroups(
  writer: KernelWriter,
  groups: number,
  width: number,
  body: (group: string) => void,
): Work {
  const index = writer.bind(groupIndex(groups, writer.limits), "g");
  const grid = gridOf(groups, writer.limits);
  if (grid[0] * grid[1] === groups) body(index);
  else writer.block(`if (${index} < ${groups}u)`, () => body(index));
  return { grid, workgroupSize: [width, 1, 1] };
}
