// top_mask: every element counts who is before it in the order of size. A line is as long as there are experts,
// so counting costs less than sorting would in barriers.

import { count } from "../../ir/tensor.js";
import { invocations } from "../grid.js";
import type { Implementation, KernelRequest } from "../kernel.js";
import { axesPlace, flatPlace } from "../place.js";
import { single } from "../single.js";

export function topMask(request: KernelRequest<"top_mask">): Implementation {
  const { axis, k } = request.attributes;
  const { shape } = request.operandTypes.x;
  const { writer: w, operands, results } = request.open();
  const work = invocations(w, count(shape), (flat) => {
    const place = flatPlace(shape, flat);
    const axes = shape.map((_, i) => (i === axis ? w.bind(place.axis(i), "own") : place.axis(i)));
    const own = axes[axis]!;
    const value = w.bind(operands.x.load(place), "value");
    const before = w.variable("before", "0u");
    w.loop("j", "0u", `${shape[axis]}u`, 1, (j) => {
      const other = w.bind(operands.x.load(axesPlace(shape, axes.with(axis, j))), "other");
      w.block(`if (${other} > ${value} || (${other} == ${value} && ${j} < ${own}))`, () =>
        w.line(`${before} += 1u;`),
      );
    });
    results[0]!.store(place, `${before} < ${k}u`);
  });
  return single(
    w,
    w.finish({
      name: `top_mask_${k}_of_${shape.join("x")}_axis_${axis}${request.suffix}`,
      comment: [
        `y = whether x is among the ${k} largest along axis ${axis} of [${shape.join(", ")}], ties to the lowest index.`,
        ...request.around.map((text) => `  with ${text}`),
      ],
      ...work,
    }),
  );
}
