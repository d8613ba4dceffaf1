// Normalisations over the last axis: one or several rows a workgroup, mean and variance in two passes over
// registers (never E[x^2] - E[x]^2, which cancels), modulation and residual in the same store.

import type { Implementation, KernelRequest, Shaped, Source, WgslKernels } from "../kernel.js";
import { float } from "../literals.js";
import { axesPlace } from "../place.js";
import { single } from "../single.js";
import type { KernelWriter } from "../writer.js";
import { acrossLine, type Lines, lanesSum, onLine, openLines, planLines, readLine } from "./rows.js";

/** Sums f over a line. */
type Sum = (f: (value: string) => string) => string;

interface RowNorm {
  readonly name: string;
  readonly equation: string;
  readonly request: Pick<KernelRequest<"layer_norm">, "limits" | "suffix" | "around">;
  readonly x: Shaped;
  open(lanes: 1 | 4): {
    readonly writer: KernelWriter;
    readonly x: Source;
    readonly weight: Source | undefined;
    readonly bias: Source | undefined;
    store(plan: Lines, line: string, i: string, value: string): void;
  };
  /** y of an element before weight and bias, given sums over the line. */
  normalize(w: KernelWriter, sum: Sum, length: number): (value: string) => string;
}

function rowNorm({ name, equation, request, x, open, normalize }: RowNorm): Implementation {
  const axis = x.shape.length - 1;
  const plan = planLines(x, axis, request.limits);
  const { writer: w, store, ...operands } = open(plan.lanes);
  const memory = plan.width > 1 ? w.workgroupArray("partial", "f32", plan.width * plan.together) : "";
  const { line, inside, part, work } = openLines(w, plan);
  const visit = readLine(w, plan, operands.x, line, part);
  const sum: Sum = (f) => {
    const total = w.variable("part_sum", "0.0");
    visit((value) => w.line(`${total} += ${lanesSum(f(value), plan.lanes)};`));
    return acrossLine(w, plan, total, "sum", memory);
  };
  const formula = normalize(w, sum, plan.length);
  const write = (): void =>
    visit((value, index) => {
      const i = index();
      const channel = axesPlace([plan.length], [i], plan.lanes);
      const weight = operands.weight?.load(channel);
      const bias = operands.bias?.load(channel);
      const scaled = weight === undefined ? formula(value) : `${formula(value)} * ${weight}`;
      store(plan, line, i, bias === undefined ? scaled : `${scaled} + ${bias}`);
    });
  inside === "" ? write() : w.block(`if (${inside})`, write);
  const affine = `${operands.weight ? "_weight" : ""}${operands.bias ? "_bias" : ""}`;
  return single(
    w,
    w.finish({
      name: `${name}${affine}_${plan.lines}x${plan.length}${request.suffix}`,
      comment: [
        `${equation}: ${plan.lines} rows of ${plan.length}, ${plan.together} a workgroup, ${plan.width} invocations each.`,
        ...request.around.map((text) => `  with ${text}`),
      ],
      ...work,
    }),
  );
}

export const norms = {
  layer_norm: (request) =>
    rowNorm({
      name: "layer_norm",
      equation: "y = (x - mean) / sqrt(variance + epsilon) * weight + bias",
      request,
      x: request.operandTypes.x,
      open(lanes) {
        const { writer, operands, results } = request.open({ lanes });
        return {
          writer,
          x: operands.x,
          weight: operands.weight,
          bias: operands.bias,
          store: storer(results[0]!),
        };
      },
      normalize(w, sum, n) {
        const mean = w.bind(`${sum((v) => v)} / ${float(n)}`, "mean");
        const variance = w.bind(
          `${sum((v) => {
            const d = w.bind(`${v} - ${mean}`, "centred");
            return `${d} * ${d}`;
          })} / ${float(n)}`,
          "variance",
        );
        const inverse = w.bind(`inverseSqrt(${variance} + ${float(request.attributes.epsilon)})`, "inverse");
        return (v) => `(${v} - ${mean}) * ${inverse}`;
      },
    }),

  rms_norm: (request) =>
    rowNorm({
      name: "rms_norm",
      equation: "y = x / sqrt(mean(x^2) + epsilon) * weight",
      request,
      x: request.operandTypes.x,
      open(lanes) {
        const { writer, operands, results } = request.open({ lanes });
        return {
          writer,
          x: operands.x,
          weight: operands.weight,
          bias: undefined,
          store: storer(results[0]!),
        };
      },
      normalize(w, sum, n) {
        const square = w.bind(`${sum((v) => `${v} * ${v}`)} / ${float(n)}`, "mean_square");
        const inverse = w.bind(`inverseSqrt(${square} + ${float(request.attributes.epsilon)})`, "inverse");
        return (v) => `${v} * ${inverse}`;
      },
    }),

  l2_normalize: (request) =>
    rowNorm({
      name: "l2_normalize",
      equation: "y = scale x / max(|x|, epsilon)",
      request,
      x: request.operandTypes.x,
      open(lanes) {
        const { writer, operands, results } = request.open({ lanes });
        return { writer, x: operands.x, weight: undefined, bias: undefined, store: storer(results[0]!) };
      },
      normalize(w, sum) {
        const { scale, epsilon } = request.attributes;
        const length = w.bind(`max(sqrt(${sum((v) => `${v} * ${v}`)}), ${float(epsilon)})`, "length");
        const factor = w.bind(`${float(scale)} / ${length}`, "factor");
        return (v) => `${v} * ${factor}`;
      },
    }),
} satisfies WgslKernels;

function storer(y: {
  store(place: ReturnType<typeof onLine>, value: string): void;
}): (plan: Lines, line: string, i: string, value: string) => void {
  return (plan, line, i, value) => y.store(onLine(plan, line, i, plan.lanes), value);
}
