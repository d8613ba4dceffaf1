// Sums, means, maxima, argmax and softmax along an axis. The maximum is taken off before exp, so softmax never
// overflows; argmax prefers the lowest index on a tie.

import type { Implementation, KernelRequest, WgslKernels } from "../kernel.js";
import { float } from "../literals.js";
import { flatPlace } from "../place.js";
import { single } from "../single.js";
import { acrossLine, lanesSum, onLine, openLines, planLines, readLine } from "./rows.js";

/** Below every finite f32 a kernel will meet; WGSL has no infinity. */
const lowest = "-3.4028234663852886e38";

type Reduction = "reduce_sum" | "reduce_mean" | "reduce_max";

function reduction(name: Reduction, equation: string): (request: KernelRequest<Reduction>) => Implementation {
  return (request) => {
    const plan = planLines(request.operandTypes.x, request.attributes.axis, request.limits);
    const { writer: w, operands, results } = request.open({ lanes: plan.lanes, stores: 1 });
    const memory = plan.width > 1 ? w.workgroupArray("partial", "f32", plan.width * plan.together) : "";
    const { line, inside, part, work } = openLines(w, plan);
    const visit = readLine(w, plan, operands.x, line, part);
    const max = name === "reduce_max";
    const own = w.variable(max ? "part_most" : "part_sum", max ? lowest : "0.0");
    visit((value) => {
      const one = max && plan.lanes === 4 ? laneMax(value) : max ? value : lanesSum(value, plan.lanes);
      w.line(max ? `${own} = max(${own}, ${one});` : `${own} += ${one};`);
    });
    const all = acrossLine(w, plan, own, max ? "max" : "sum", memory);
    const y = results[0]!;
    const guard = [...(plan.width === 1 ? [] : [`${part} == 0u`]), ...(inside === "" ? [] : [inside])].join(
      " && ",
    );
    const write = (): void =>
      y.store(flatPlace(y.shape, line), name === "reduce_mean" ? `${all} / ${float(plan.length)}` : all);
    guard === "" ? write() : w.block(`if (${guard})`, write);
    return single(
      w,
      w.finish({
        name: `${name}_${plan.shape.join("x")}_axis_${plan.axis}${request.suffix}`,
        comment: [
          `${equation} along axis ${plan.axis} of [${plan.shape.join(", ")}].`,
          ...request.around.map((text) => `  with ${text}`),
        ],
        ...work,
      }),
    );
  };
}

const laneMax = (v: string): string => `max(max(${v}.x, ${v}.y), max(${v}.z, ${v}.w))`;

export const reductions = {
  reduce_sum: reduction("reduce_sum", "y = sum_i x[i]"),
  reduce_mean: reduction("reduce_mean", "y = (1/n) sum_i x[i]"),
  reduce_max: reduction("reduce_max", "y = max_i x[i]"),

  softmax(request) {
    const plan = planLines(request.operandTypes.x, request.attributes.axis, request.limits);
    const { writer: w, operands, results } = request.open({ lanes: plan.lanes });
    const memory = plan.width > 1 ? w.workgroupArray("partial", "f32", plan.width * plan.together) : "";
    const { line, inside, part, work } = openLines(w, plan);
    const visit = readLine(w, plan, operands.x, line, part);
    const own = w.variable("part_most", lowest);
    visit((value) => w.line(`${own} = max(${own}, ${plan.lanes === 4 ? laneMax(value) : value});`));
    const most = acrossLine(w, plan, own, "max", memory);
    const sum = w.variable("part_sum", "0.0");
    visit((value) => w.line(`${sum} += ${lanesSum(`exp(${value} - ${most})`, plan.lanes)};`));
    const total = acrossLine(w, plan, sum, "sum", memory);
    const y = results[0]!;
    const write = (): void =>
      visit((value, i) => y.store(onLine(plan, line, i(), plan.lanes), `exp(${value} - ${most}) / ${total}`));
    inside === "" ? write() : w.block(`if (${inside})`, write);
    return single(
      w,
      w.finish({
        name: `softmax_${plan.shape.join("x")}_axis_${plan.axis}${request.suffix}`,
        comment: [
          `y[i] = exp(x[i] - m) / sum_j exp(x[j] - m), m = max x, along axis ${plan.axis} of [${plan.shape.join(", ")}].`,
          ...request.around.map((text) => `  with ${text}`),
        ],
        ...work,
      }),
    );
  },

  argmax(request) {
    const plan = { ...planLines(request.operandTypes.x, request.attributes.axis, request.limits) };
    const { writer: w, operands, results } = request.open({ lanes: plan.lanes, stores: 1 });
    const size = plan.width * plan.together;
    const values = plan.width > 1 ? w.workgroupArray("values", "f32", size) : "";
    const indices = plan.width > 1 ? w.workgroupArray("indices", "u32", size) : "";
    const { line, inside, part, work } = openLines(w, plan);
    const visit = readLine(w, plan, operands.x, line, part);
    const best = w.variable("best", lowest);
    // An invocation whose share is empty, or holds nothing above the start value, must lose every tie.
    const at = w.variable("best_at", `${plan.length}u`);
    visit((value, index) => {
      const i = index();
      for (let j = 0; j < plan.lanes; j++) {
        const one = plan.lanes === 4 ? `${value}.${"xyzw"[j]}` : value;
        w.block(`if (${one} > ${best})`, () => w.line(`${best} = ${one}; ${at} = ${i} + ${j}u;`));
      }
    });
    if (plan.width > 1) {
      w.line(`${values}[lane] = ${best};`);
      w.line(`${indices}[lane] = ${at};`);
      w.barrier();
      for (let half = plan.width / 2; half >= 1; half /= 2) {
        const mine = plan.together === 1 ? `lane < ${half}u` : `lane % ${plan.width}u < ${half}u`;
        w.block(`if (${mine})`, () => {
          const other = w.bind(`${values}[lane + ${half}u]`, "other");
          const otherAt = w.bind(`${indices}[lane + ${half}u]`, "other_at");
          w.block(
            `if (${other} > ${values}[lane] || (${other} == ${values}[lane] && ${otherAt} < ${indices}[lane]))`,
            () => w.line(`${values}[lane] = ${other}; ${indices}[lane] = ${otherAt};`),
          );
        });
        w.barrier();
      }
    }
    const y = results[0]!;
    const guard = [...(plan.width === 1 ? [] : [`${part} == 0u`]), ...(inside === "" ? [] : [inside])].join(
      " && ",
    );
    const found = plan.width > 1 ? `${indices}[lane]` : at;
    // Nothing above the lowest f32: the first index.
    const write = (): void => y.store(flatPlace(y.shape, line), `i32(${found} % ${plan.length}u)`);
    guard === "" ? write() : w.block(`if (${guard})`, write);
    return single(
      w,
      w.finish({
        name: `argmax_${plan.shape.join("x")}_axis_${plan.axis}${request.suffix}`,
        comment: [`y = least i with x[i] = max x, along axis ${plan.axis} of [${plan.shape.join(", ")}].`],
        ...work,
      }),
    );
  },
} satisfies WgslKernels;
