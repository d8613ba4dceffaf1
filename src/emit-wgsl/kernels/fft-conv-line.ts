// One line through a workgroup: forward stages, the product with the filter's spectrum, inverse stages. A stage
// of radix r turns the r numbers base + n rest (n = 0 .. r-1) into their transform in the same places, so stages
// are a barrier apart and nothing is ever reordered (src/ir/fft/transform.ts has the index maps).
//
// Inverse stages run the forward codelets on conjugates: conj(idft(v)) = dft(conj v), and the twiddles, which
// follow the codelet there, are the same numbers again.

import { rightAngleBins } from "../../ir/fft/right-angle.js";
import { points } from "../../ir/fft/transform.js";
import { useFunction } from "../functions.js";
import type { BufferRole, Table } from "../kernel.js";
import { divided, modulo, plus, times } from "../place.js";
import type { KernelWriter } from "../writer.js";
import { codelet, turnedReal } from "./fft-conv-codelets.js";
import type { LinePlan } from "./fft-conv-plan.js";

/** What a kernel does at both ends and in the middle of its lines. `at` is a u32 expression. */
export interface LineHooks {
  /** The vec2f at place `at` of the line; a number (f32) where stage 0 reads real samples; undefined for zero. */
  load(at: string, n: number): string | undefined;
  /** Takes the finished (conjugated) number at place `at`. */
  store(at: string, value: string, n: number): void;
  /** Statements v[k] = conj(v[k] H) for the bins k = 0 .. r-1 of group `group` (k_1 .. k_(p-1)). */
  multiply(v: string, group: string): void;
  /** k_1 of the line, where stage 0 is not part of it. */
  readonly first: string;
  /** The condition under which the invocation stores; undefined when it always does. */
  readonly valid: string | undefined;
}

/** exp(-2 pi i ((1 + 4 kappa(group)) n rest_s mod 4M) / 4M) for s >= 1 as [s][n - 1][group], (re, im). */
export function twiddleTable(factors: readonly number[]): Table {
  const M = points({ factors });
  const values: number[] = [];
  for (let s = 1; s < factors.length; s++) {
    const bins = rightAngleBins({ form: "right_angle", factors, rows: factors[0]!, scaling: "last" }, s);
    const rest = points({ factors: factors.slice(s + 1) });
    for (let n = 1; n < factors[s]!; n++)
      for (const bin of bins) {
        const angle = (2 * Math.PI * (((1 + 4 * bin) * n * rest) % (4 * M))) / (4 * M);
        values.push(Math.cos(angle), -Math.sin(angle));
      }
  }
  return { name: `twiddles_${factors.join("x")}`, element: "c64", values: Float64Array.from(values) };
}

/** The angle 2 pi n rest_1 / 4M of stage 0, where every bin found so far is 0. */
export function firstAngle(n: number, radix: number): number {
  return (Math.PI * n) / (2 * radix);
}

interface Stage {
  /** 0-based number in the transform. */
  readonly number: number;
  readonly radix: number;
  /** Distance of a butterfly's numbers. */
  readonly rest: number;
  /** Groups of bins found before the stage: in the transform, and of them in this line. */
  readonly found: number;
  readonly foundHere: number;
  /** Where the stage's twiddles start in the table. */
  readonly twiddles: number;
  /** Butterflies per line. */
  readonly butterflies: number;
}

function stagesOf({ factors, from, points: inLine }: LinePlan): Stage[] {
  let twiddles = 0;
  const stages: Stage[] = [];
  factors.forEach((radix, number) => {
    const found = points({ factors: factors.slice(0, number) });
    if (number >= from)
      stages.push({
        number,
        radix,
        rest: points({ factors: factors.slice(number + 1) }),
        found,
        foundHere: points({ factors: factors.slice(from, Math.max(from, number)) }),
        twiddles,
        butterflies: inLine / radix,
      });
    if (number > 0) twiddles += found * (radix - 1);
  });
  return stages;
}

/**
 * Writes the whole line. `thread` is the invocation's number among `plan.threads`, `channel` among
 * `plan.channels`. Uses workgroup memory unless the line is one stage.
 */
export function writeLine(
  writer: KernelWriter,
  plan: LinePlan,
  thread: string,
  channel: string,
  hooks: LineHooks,
): void {
  const stages = stagesOf(plan);
  const last = stages.length - 1;
  const steps: Step[] = [
    ...stages.slice(0, last).map((stage) => ({ stage, kind: "forward" as const })),
    { stage: stages[last]!, kind: "product" },
    ...stages
      .slice(0, last)
      .reverse()
      .map((stage) => ({ stage, kind: "inverse" as const })),
  ];
  const table = plan.factors.length > 1 ? writer.table(twiddleTable(plan.factors)) : undefined;
  const line: LineContext = { writer, plan, thread, channel, hooks, steps, table };
  if (plan.mode === "split" && stages.length > 1) splitLine(line);
  else complexLine(line);
}

interface Step {
  readonly stage: Stage;
  readonly kind: "forward" | "product" | "inverse";
}

interface LineContext {
  readonly writer: KernelWriter;
  readonly plan: LinePlan;
  readonly thread: string;
  readonly channel: string;
  readonly hooks: LineHooks;
  readonly steps: readonly Step[];
  readonly table: BufferRole | undefined;
}

/** Where butterfly `q` of a stage reads and writes: its first number in the line, and its group of bins. */
interface Butterfly {
  readonly base: string;
  readonly group: string;
}

function butterfly({ writer, hooks, plan }: LineContext, stage: Stage, q: string): Butterfly {
  const here = stage.foundHere === 1 ? "0u" : writer.bind(divided(q, stage.rest), "part");
  const within = writer.bind(stage.foundHere === 1 ? q : modulo(q, stage.rest), "within");
  const base = writer.bind(plus(times(here, stage.radix * stage.rest), within), "base");
  const group = plan.from === 0 ? here : writer.bind(plus(times(hooks.first, stage.foundHere), here), "bins");
  return { base, group };
}

/** Multiplies v[1] .. v[r-1] by the stage's twiddles. */
function twiddle({ writer, table }: LineContext, stage: Stage, v: string, group: string): void {
  const product = useFunction(writer, "complex_product", 1);
  for (let n = 1; n < stage.radix; n++) {
    const at = plus(`${stage.twiddles + (n - 1) * stage.found}u`, group);
    writer.line(`${v}[${n}] = ${product}(${v}[${n}], ${writer.at(table!, at)});`);
  }
}

/** What happens between reading a butterfly's numbers and writing them. */
function compute(line: LineContext, { stage, kind }: Step, v: string, group: string): void {
  const { writer, hooks } = line;
  const dft = stage.radix === 1 ? undefined : codelet(writer, stage.radix);
  const transform = (): void => {
    if (dft !== undefined) writer.line(`${dft}(&${v});`);
  };
  // Stage 0 has no table: it starts and ends at real samples, which the hooks turn.
  if (kind !== "inverse" && stage.number > 0) twiddle(line, stage, v, group);
  transform();
  if (kind === "forward") return;
  if (kind === "product") {
    hooks.multiply(v, group);
    transform();
  }
  if (stage.number > 0) twiddle(line, stage, v, group);
}

/** The first step's numbers: real samples are turned as they come, so only they are read. */
function readInput({ writer, hooks }: LineContext, stage: Stage, v: string, base: string): void {
  for (let n = 0; n < stage.radix; n++) {
    const value = hooks.load(plus(base, `${n * stage.rest}u`), n);
    if (value === undefined) continue;
    if (stage.number > 0) writer.line(`${v}[${n}] = ${value};`);
    else writer.line(`${v}[${n}] = ${turnedReal(value, firstAngle(n, stage.radix))};`);
  }
}

function writeOutput({ writer, hooks }: LineContext, stage: Stage, v: string, base: string): void {
  const store = (): void => {
    for (let n = 0; n < stage.radix; n++) hooks.store(plus(base, `${n * stage.rest}u`), `${v}[${n}]`, n);
  };
  if (hooks.valid === undefined) store();
  else writer.block(`if (${hooks.valid})`, store);
}

function title({ plan }: LineContext, { stage, kind }: Step): string {
  const what = kind === "product" ? "forward, times the spectrum, and back" : kind;
  return `// Stage ${stage.number + 1} of ${plan.factors.length}, ${what}: radix ${stage.radix}, ${stage.butterflies} butterflies.`;
}

/** Whole complex numbers in memory: a butterfly at a time. */
function complexLine(line: LineContext): void {
  const { writer, plan, steps, channel, thread } = line;
  const memory = steps.length > 1 ? writer.workgroupArray("line", "vec2f", plan.points * plan.channels) : "";
  steps.forEach((step, k) => {
    const { stage } = step;
    if (k > 0) writer.barrier();
    writer.line(title(line, step));
    const body = (q: string): void => {
      const { base, group } = butterfly(line, stage, q);
      const v = writer.unset("v", `array<vec2f, ${stage.radix}>`);
      const slot = steps.length > 1 ? slotOf(writer, plan, base, channel) : base;
      const place = (n: number): string => `${memory}[${plus(slot, `${n * stage.rest * plan.channels}u`)}]`;
      if (k === 0) readInput(line, stage, v, base);
      else for (let n = 0; n < stage.radix; n++) writer.line(`${v}[${n}] = ${place(n)};`);
      compute(line, step, v, group);
      if (k === steps.length - 1) writeOutput(line, stage, v, base);
      else for (let n = 0; n < stage.radix; n++) writer.line(`${place(n)} = ${v}[${n}];`);
    };
    const { butterflies } = stage;
    if (butterflies === plan.threads) body(thread);
    else if (butterflies < plan.threads) writer.block(`if (${thread} < ${butterflies}u)`, () => body(thread));
    else writer.loop("q", thread, `${butterflies}u`, plan.threads, body);
  });
}

/** Where place `base` of a channel's line is in workgroup memory: channels are innermost. */
function slotOf(writer: KernelWriter, { channels }: LinePlan, base: string, channel: string): string {
  return channels === 1 ? base : writer.bind(plus(times(base, channels), channel), "slot");
}

/** Butterflies of one invocation at one step of a split line. */
interface Held {
  readonly v: string;
  readonly base: string;
  readonly group: string;
  /** The condition under which the butterfly is this invocation's own; undefined when it always is. */
  readonly own: string | undefined;
}

/** One part at a time in memory: every invocation keeps its numbers in registers from step to step. */
function splitLine(line: LineContext): void {
  const { writer, plan, steps, channel } = line;
  const memory = writer.workgroupArray("part_of_line", "f32", plan.points * plan.channels);
  const each = (held: Held, stage: Stage, write: (place: string, n: number) => void): void => {
    const slot = slotOf(writer, plan, held.base, channel);
    for (let n = 0; n < stage.radix; n++)
      write(`${memory}[${plus(slot, `${n * stage.rest * plan.channels}u`)}]`, n);
  };
  const guarded = ({ own }: Held, write: () => void): void => {
    if (own === undefined) write();
    else writer.block(`if (${own})`, write);
  };
  let before: { readonly held: readonly Held[]; readonly stage: Stage } | undefined;
  steps.forEach((step, k) => {
    const { stage } = step;
    writer.line(title(line, step));
    const held = heldBy(line, stage);
    if (before === undefined) for (const h of held) readInput(line, stage, h.v, h.base);
    else
      for (const part of ["x", "y"] as const) {
        // Everyone has read what the memory held before.
        if (k > 1 || part === "y") writer.barrier();
        for (const h of before.held)
          guarded(h, () =>
            each(h, before!.stage, (place, n) => writer.line(`${place} = ${h.v}[${n}].${part};`)),
          );
        writer.barrier();
        for (const h of held) each(h, stage, (place, n) => writer.line(`${h.v}[${n}].${part} = ${place};`));
      }
    for (const h of held) compute(line, step, h.v, h.group);
    if (k === steps.length - 1) for (const h of held) guarded(h, () => writeOutput(line, stage, h.v, h.base));
    before = { held, stage };
  });
}

function heldBy(line: LineContext, stage: Stage): Held[] {
  const { writer, plan, thread } = line;
  return Array.from({ length: Math.ceil(stage.butterflies / plan.threads) }, (_, i) => {
    const number = writer.bind(plus(thread, `${i * plan.threads}u`), "q");
    const isTail = (i + 1) * plan.threads > stage.butterflies;
    // Beyond the last butterfly an invocation repeats it and stores nothing.
    const q = isTail ? writer.bind(`min(${number}, ${stage.butterflies - 1}u)`, "q") : number;
    const v = writer.unset("v", `array<vec2f, ${stage.radix}>`);
    return { v, ...butterfly(line, stage, q), own: isTail ? `${number} < ${stage.butterflies}u` : undefined };
  });
}
