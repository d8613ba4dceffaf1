// fft_conv: y = Re(inverse(transform(x) H)) with one read of x, one of the spectrum and one write of y. A line
// that fits a workgroup's memory is one kernel; a longer one is three, which exchange M complex numbers a line
// through scratch memory: stage 0, what is left of every k_1, stage 0 back.

import { points } from "../../ir/fft/transform.js";
import { count } from "../../ir/tensor.js";
import { invocations, workgroups } from "../grid.js";
import type {
  BufferRole,
  Implementation,
  Kernel,
  KernelRequest,
  Opened,
  Sink,
  Source,
  Table,
} from "../kernel.js";
import { float } from "../literals.js";
import { axesPlace, divided, flatPlace, modulo, plus, times } from "../place.js";
import type { KernelWriter } from "../writer.js";
import { codelet, turnedReal } from "./fft-conv-codelets.js";
import { firstAngle, writeLine } from "./fft-conv-line.js";
import { type LinePlan, planLine } from "./fft-conv-plan.js";

type Request = KernelRequest<"fft_conv">;

/** The fused kernel where a line fits, else the three kernels. `choose-fft-conv` gives factors for which either does. */
export function fftConv(request: Request): Implementation {
  const { factors } = request.attributes;
  const width = request.operandTypes.x.shape[2]!;
  const whole = planLine(factors, 0, width, request.limits);
  if (whole !== undefined) return fused(request, whole);
  return threeKernels(request, planLine(factors, 1, width, request.limits)!);
}

interface Names {
  readonly batch: number;
  readonly length: number;
  readonly width: number;
  readonly base: string;
  readonly comment: readonly string[];
}

function names({ operandTypes: { x }, attributes: { factors }, suffix, around }: Request): Names {
  const [batch, length, width] = x.shape as [number, number, number];
  const product = factors.join(" x ");
  return {
    batch,
    length,
    width,
    base: `fft_conv_${length}x${width}_by_${factors.join("x")}${suffix}`,
    comment: [
      `Convolution of ${width} channels of ${length} samples over ${points({ factors })} = ${product} points at a right angle:`,
      "y[t] = Re 1/M sum_k X_k H_k exp(i a_k t), X_k = sum_t x[t] exp(-i a_k t), a_k = 2 pi (1 + 4k) / 4M.",
      ...around.map((line) => `  with ${line}`),
    ],
  };
}

/** x[b, t, c] as a register; 0 from `length` on. `n * rest` is the least t can be, `rest - 1` how much more. */
function sample(
  writer: KernelWriter,
  x: Source,
  [b, t, c]: readonly [string, string, string],
  n: number,
  rest: number,
): string | undefined {
  const length = x.shape[1]!;
  if (n * rest >= length) return undefined;
  const load = (): string => x.load(axesPlace(x.shape, [b, t, c]));
  if ((n + 1) * rest <= length) return load();
  const value = writer.zero("sample", "f32");
  writer.block(`if (${t} < ${length}u)`, () => writer.line(`${value} = ${load()};`));
  return value;
}

/** Stores Re(u exp(-i angle)) / M at [b, t, c] where there is such an element; u is the conjugated number. */
function storeSample(
  writer: KernelWriter,
  sink: Sink,
  [b, t, c]: readonly [string, string, string],
  u: string,
  n: number,
  factors: readonly number[],
): void {
  const M = points({ factors });
  const rest = M / factors[0]!;
  const length = sink.shape[1]!;
  if (n * rest >= length) return;
  const angle = firstAngle(n, factors[0]!);
  const [cos, sin] = [Math.cos(angle) / M, Math.sin(angle) / M];
  const value = n === 0 ? `${float(1 / M)} * ${u}.x` : `${float(cos)} * ${u}.x + ${float(sin)} * ${u}.y`;
  const store = (): void => sink.store(axesPlace(sink.shape, [b, t, c]), value);
  if ((n + 1) * rest <= length) store();
  else writer.block(`if (${t} < ${length}u)`, store);
}

/** Where a workgroup's invocations stand: channel innermost, so that neighbours read neighbours. */
function lanes(writer: KernelWriter, plan: LinePlan, block: string, width: number) {
  const { channels } = plan;
  const channel = writer.bind(modulo("lane", channels), "channel");
  const thread = writer.bind(divided("lane", channels), "thread");
  const number = writer.bind(plus(times(block, channels), channel), "c");
  const isWhole = width % channels === 0;
  return {
    channel,
    thread,
    /** Beyond the last channel an invocation repeats it and stores nothing. */
    c: isWhole ? number : writer.bind(`min(${number}, ${width - 1}u)`, "c"),
    valid: isWhole ? undefined : `${number} < ${width}u`,
  };
}

/** v[k] = conj(v[k] H) for bins k of `group`; the spectrum is [G, 2, K, Q]. */
function multiplyBy(writer: KernelWriter, spectrum: Source, c: string, width: number) {
  const [groups, , bins] = spectrum.shape as [number, number, number, number];
  const filter = writer.bind(divided(c, width / groups), "filter");
  const row = groups === 1 ? "0u" : filter;
  return (v: string, group: string): void => {
    for (let k = 0; k < bins; k++) {
      const part = (p: 0 | 1): string =>
        spectrum.load(axesPlace(spectrum.shape, [row, `${p}u`, `${k}u`, group]));
      const [re, im] = [part(0), part(1)];
      writer.line(
        `${v}[${k}] = vec2f(${v}[${k}].x * ${re} - ${v}[${k}].y * ${im}, -${v}[${k}].x * ${im} - ${v}[${k}].y * ${re});`,
      );
    }
  };
}

function fused(request: Request, plan: LinePlan): Implementation {
  const { batch, width, base, comment } = names(request);
  const { factors } = plan;
  const { writer, operands, results } = request.open();
  const rest = plan.points / factors[0]!;
  const blocks = Math.ceil(width / plan.channels);
  const work = workgroups(writer, batch * blocks, plan.channels * plan.threads, (g) => {
    const block = blocks === 1 ? "0u" : writer.bind(modulo(g, blocks), "block");
    const b = batch === 1 ? "0u" : writer.bind(divided(g, blocks), "b");
    const { channel, thread, c, valid } = lanes(writer, plan, block, width);
    writeLine(writer, plan, thread, channel, {
      first: "0u",
      valid,
      load: (t, n) => sample(writer, operands.x, [b, t, c], n, rest),
      store: (t, u, n) => storeSample(writer, results[0]!, [b, t, c], u, n, factors),
      multiply: multiplyBy(writer, operands.spectrum, c, width),
    });
  });
  const kernel = writer.finish({
    name: base,
    comment: [
      ...comment,
      `${plan.channels} channels a workgroup, ${plan.threads} invocations each; ${
        plan.mode === "split" && factors.length > 1
          ? "numbers stay in registers, their parts change places through memory"
          : "numbers stay in workgroup memory between stages"
      }.`,
    ],
    ...work,
  });
  return { kernels: [kernel], scratch: [], tables: writer.tables };
}

/** Complex numbers between the kernels: u[b, k_1, t mod rest, c]. */
const between: BufferRole = { kind: "scratch", index: 0 };

function threeKernels(request: Request, plan: LinePlan): Implementation {
  const { batch, width } = names(request);
  const length = batch * width * points(plan);
  const made = [forwardEnd(request, length), middle(request, plan, length), inverseEnd(request, length)];
  const tables = new Map<string, Table>();
  for (const { tables: own } of made) for (const table of own) tables.set(table.name, table);
  return {
    kernels: made.map(({ kernel }) => kernel),
    scratch: [{ element: "c64", length }],
    tables: [...tables.values()],
  };
}

interface Made {
  readonly kernel: Kernel;
  readonly tables: readonly Table[];
}

/** One invocation per butterfly of stage 0: [b, t mod rest, c], channels innermost. */
function ends(
  request: Request,
  { writer }: Opened<"fft_conv">,
  body: (b: string, r: string, c: string, u: (k: number) => string) => void,
) {
  const { batch, width } = names(request);
  const { factors } = request.attributes;
  const rest = points({ factors }) / factors[0]!;
  const shape = [batch, rest, width];
  return invocations(writer, count(shape), (i) => {
    const place = flatPlace(shape, i);
    const [b, r, c] = [0, 1, 2].map((axis) => writer.bind(place.axis(axis), ["b", "r", "c"][axis]!));
    body(b!, r!, c!, (k) => axesPlace([batch, factors[0]!, rest, width], [b!, `${k}u`, r!, c!]).flat());
  });
}

/** u[b, k_1, r, c] = stage 0 of x: radix N_1 in registers. */
function forwardEnd(request: Request, length: number): Made {
  const { base, comment } = names(request);
  const opened = request.open();
  const { writer, operands } = opened;
  const { factors } = request.attributes;
  const rest = points({ factors }) / factors[0]!;
  const work = ends(request, opened, (b, r, c, u) => {
    const v = writer.unset("v", `array<vec2f, ${factors[0]!}>`);
    for (let n = 0; n < factors[0]!; n++) {
      const value = sample(writer, operands.x, [b, plus(r, `${n * rest}u`), c], n, rest);
      if (value !== undefined) writer.line(`${v}[${n}] = ${turnedReal(value, firstAngle(n, factors[0]!))};`);
    }
    writer.line(`${codelet(writer, factors[0]!)}(&${v});`);
    writer.buffer(between, "between", "c64", length, "read_write");
    for (let k = 0; k < factors[0]!; k++) writer.put(between, u(k), `${v}[${k}]`);
  });
  const kernel = writer.finish({
    name: `${base}_forward`,
    comment: [...comment, `First of three: stage 1 of ${factors.length}, radix ${factors[0]}, in registers.`],
    ...work,
  });
  return { kernel, tables: writer.tables };
}

/** The lines of every k_1 in place: the other stages, the product, and back. */
function middle(request: Request, plan: LinePlan, length: number): Made {
  const { batch, width, base, comment } = names(request);
  const { writer, operands } = request.open();
  const { factors } = plan;
  const rest = plan.points;
  const blocks = Math.ceil(width / plan.channels);
  const groups = batch * factors[0]! * blocks;
  const work = workgroups(writer, groups, plan.channels * plan.threads, (g) => {
    const block = blocks === 1 ? "0u" : writer.bind(modulo(g, blocks), "block");
    const row = writer.bind(divided(g, blocks), "row");
    const first = batch === 1 ? row : writer.bind(modulo(row, factors[0]!), "k1");
    const { channel, thread, c, valid } = lanes(writer, plan, block, width);
    writer.buffer(between, "between", "c64", length, "read_write");
    const at = (r: string): string => axesPlace([batch * factors[0]!, rest, width], [row, r, c]).flat();
    writeLine(writer, plan, thread, channel, {
      first,
      valid,
      load: (r) => writer.at(between, at(r)),
      store: (r, u) => writer.put(between, at(r), u),
      multiply: multiplyBy(writer, operands.spectrum, c, width),
    });
  });
  const kernel = writer.finish({
    name: `${base}_middle`,
    comment: [
      ...comment,
      `Second of three: the other stages of every k_1, in place; ${plan.channels} channels a workgroup, ${plan.threads} invocations each.`,
    ],
    ...work,
    bytesRead: 8 * length + 4 * count(request.operandTypes.spectrum.shape) + tableBytes(writer.tables),
    bytesWritten: 8 * length,
  });
  return { kernel, tables: writer.tables };
}

function tableBytes(tables: readonly Table[]): number {
  return tables.reduce((sum, table) => sum + 4 * table.values.length, 0);
}

/** y from u: stage 0 back, in registers. */
function inverseEnd(request: Request, length: number): Made {
  const { base, comment } = names(request);
  const opened = request.open();
  const { writer, results } = opened;
  const { factors } = request.attributes;
  const rest = points({ factors }) / factors[0]!;
  const work = ends(request, opened, (b, r, c, u) => {
    const v = writer.unset("v", `array<vec2f, ${factors[0]!}>`);
    writer.buffer(between, "between", "c64", length);
    for (let k = 0; k < factors[0]!; k++) writer.line(`${v}[${k}] = ${writer.at(between, u(k))};`);
    writer.line(`${codelet(writer, factors[0]!)}(&${v});`);
    for (let n = 0; n < factors[0]!; n++)
      storeSample(writer, results[0]!, [b, plus(r, `${n * rest}u`), c], `${v}[${n}]`, n, factors);
  });
  const kernel = writer.finish({
    name: `${base}_inverse`,
    comment: [
      ...comment,
      `Third of three: stage 1 of ${factors.length} back, radix ${factors[0]}, in registers.`,
    ],
    ...work,
  });
  return { kernel, tables: writer.tables };
}
