// What kernels over lines share: several lines a workgroup, some invocations a line, numbers of a line held in
// registers where they are few, and reductions across the invocations of a line.

import { count } from "../../ir/tensor.js";
import { gridOf, groupIndex, type Work } from "../grid.js";
import type { Shaped, Source } from "../kernel.js";
import type { Limits } from "../limits.js";
import { axesPlace, flatPlace, type Place, plus, rowPlace, times } from "../place.js";
import type { KernelWriter } from "../writer.js";

/** How lines along one axis are spread over invocations. */
export interface Lines {
  /** Number of lines and their length. */
  readonly lines: number;
  readonly length: number;
  readonly lanes: 1 | 4;
  /** Invocations a line, a power of two. */
  readonly width: number;
  /** Lines a workgroup. */
  readonly together: number;
  /** Loads an invocation makes of its line. */
  readonly rounds: number;
  readonly axis: number;
  readonly shape: readonly number[];
}

/** A line's numbers are kept in registers up to this many loads an invocation. */
const mostKept = 4;

/** The last values of a line are combined by every invocation for itself: reads of one address, for three barriers. */
const mostRead = 8;

export function planLines({ shape }: Shaped, axis: number, limits: Limits): Lines {
  const length = shape[axis]!;
  const lines = count(shape) / length;
  const lanes = axis === shape.length - 1 && length % 4 === 0 ? 4 : 1;
  const most = Math.min(256, limits.maxComputeInvocationsPerWorkgroup);
  // As few invocations a line as keep it in registers: every halving is a barrier less.
  const width = Math.min(most, 2 ** Math.ceil(Math.log2(Math.max(1, length / (lanes * mostKept)))));
  const together = Math.min(Math.max(1, 64 / width), lines);
  return { lines, length, lanes, width, together, rounds: Math.ceil(length / (lanes * width)), axis, shape };
}

/** Opens the kernel's body: binds which line and which part of it this invocation has. */
export function openLines(
  w: KernelWriter,
  plan: Lines,
): { line: string; inside: string; part: string; work: Work } {
  const { lines, width, together } = plan;
  const groups = Math.ceil(lines / together);
  const first = times(groupIndex(groups, w.limits), together);
  const line = w.bind(
    together === 1 ? first : plus(first, width === 1 ? "lane" : `lane / ${width}u`),
    "line",
  );
  const grid = gridOf(groups, w.limits);
  const whole = groups * together === lines && grid[0] * grid[1] === groups;
  const part = together === 1 ? "lane" : w.bind(`lane % ${width}u`, "part");
  return {
    // Invocations without a line work on the last one and store nothing: barriers stay uniform.
    line: whole ? line : w.bind(`min(${line}, ${lines - 1}u)`, "line_read"),
    inside: whole ? "" : `${line} < ${lines}u`,
    part,
    work: { grid, workgroupSize: [width * together, 1, 1] },
  };
}

/** Element i of a line. */
export function onLine({ shape, axis }: Lines, line: string, i: string, lanes: 1 | 4 = 1): Place {
  if (axis === shape.length - 1) return rowPlace(shape, line, i, lanes);
  const others = shape.filter((_, k) => k !== axis);
  const at = flatPlace(others, line);
  return axesPlace(
    shape,
    shape.map((_, k) => (k === axis ? i : at.axis(k < axis ? k : k - 1))),
    lanes,
  );
}

/** Visits this invocation's share of a line, in order: `body(value, i)`, where i() names the element's index. */
export type Visit = (body: (value: string, i: () => string) => void) => void;

/**
 * Reads this invocation's share: from registers filled once where they suffice, else from memory at each visit.
 * Elements beyond the line's end are not visited.
 */
export function readLine(w: KernelWriter, plan: Lines, source: Source, line: string, part: string): Visit {
  const { length, lanes, width, rounds } = plan;
  const step = width * lanes;
  if (rounds > mostKept)
    return (body) =>
      w.loop("i", times(part, lanes), `${length}u`, step, (i) =>
        body(source.load(onLine(plan, line, i, lanes)), () => i),
      );
  const guarded = (i: () => string, body: () => void): void =>
    rounds * step > length ? w.block(`if (${i()} < ${length}u)`, body) : body();
  if (rounds === 1) {
    const i = (): string => w.bind(times(part, lanes), "i");
    const load = (): string => source.load(onLine(plan, line, i(), lanes));
    if (step === length) {
      const value = w.bind(load(), "x");
      return (body) => body(value, i);
    }
    const value = w.zero("kept", lanes === 4 ? "vec4f" : "f32");
    guarded(i, () => w.line(`${value} = ${load()};`));
    return (body) => guarded(i, () => body(value, i));
  }
  const kept = w.zero("kept", `array<${lanes === 4 ? "vec4f" : "f32"}, ${rounds}>`);
  const each: Visit = (body) =>
    w.loop("r", "0u", `${rounds}u`, 1, (r) => {
      const i = (): string => w.bind(plus(times(part, lanes), times(r, step)), "i");
      guarded(i, () => body(`${kept}[${r}]`, i));
    });
  each((place, i) => w.line(`${place} = ${source.load(onLine(plan, line, i(), lanes))};`));
  return each;
}

/** Combines one value an invocation over the invocations of a line; all get the result. */
export function acrossLine(
  w: KernelWriter,
  { width, together }: Lines,
  value: string,
  how: "sum" | "max",
  memory: string,
): string {
  if (width === 1) return value;
  const combine = (a: string, b: string): string => (how === "sum" ? `${a} + ${b}` : `max(${a}, ${b})`);
  const result = w.fresh(how === "sum" ? "total" : "most");
  if (w.features.subgroups && together === 1 && width >= 64) {
    w.subgroups();
    w.line(`// One value a subgroup, then all of them.`);
    const own = w.bind(`${how === "sum" ? "subgroupAdd" : "subgroupMax"}(${value})`, "own");
    w.block("if (subgroup_lane == 0u)", () => w.line(`${memory}[lane / subgroup_size] = ${own};`));
    w.barrier();
    w.line(`var ${result} = ${memory}[0];`);
    w.loop("k", "1u", `${width}u / subgroup_size`, 1, (k) => {
      w.line(`${result} = ${combine(result, `${memory}[${k}]`)};`);
    });
    w.barrier();
    return result;
  }
  w.line(`${memory}[lane] = ${value};`);
  w.barrier();
  let left = width;
  for (; left > mostRead; left /= 2) {
    const mine = together === 1 ? `lane < ${left / 2}u` : `lane % ${width}u < ${left / 2}u`;
    w.block(`if (${mine})`, () =>
      w.line(`${memory}[lane] = ${combine(`${memory}[lane]`, `${memory}[lane + ${left / 2}u]`)};`),
    );
    w.barrier();
  }
  const first = together === 1 ? "0u" : w.bind(`lane - lane % ${width}u`, "first");
  const rest = Array.from({ length: left }, (_, k) => `${memory}[${plus(first, `${k}u`)}]`);
  w.line(`let ${result} = ${rest.reduce(combine)};`);
  // The memory is used again.
  w.barrier();
  return result;
}

/** The sum of the lanes of a register. */
export function lanesSum(value: string, lanes: 1 | 4): string {
  return lanes === 4 ? `dot(${value}, vec4f(1.0))` : value;
}
