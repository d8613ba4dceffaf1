// A linear layer of at most four rows (time networks, sequences of one token): weights are read once, so the
// dot products are split over the invocations. Four columns a workgroup, sixteen invocations along k each.

import { gridOf, groupIndex } from "../grid.js";
import type { Implementation, KernelRequest } from "../kernel.js";
import { axesPlace, plus, rowPlace, times } from "../place.js";
import { single } from "../single.js";

const columns = 4;
const along = 16;

export function thinLinear(
  request: KernelRequest<"linear">,
  { name, comment, m, k, n }: { name: string; comment: readonly string[]; m: number; k: number; n: number },
): Implementation {
  const lanes = k % 4 === 0 ? 4 : 1;
  const { writer: w, operands, results } = request.open({ lanes, stores: 1 });
  const y = results[0]!;
  const groups = Math.ceil(n / columns);
  const column = w.bind(
    plus(times(groupIndex(groups, request.limits), columns), `lane / ${along}u`),
    "column",
  );
  const used = n % columns === 0 ? column : w.bind(`min(${column}, ${n - 1}u)`, "column_read");
  const part = w.bind(`lane % ${along}u`, "part");
  const partial = w.workgroupArray("partial", "f32", m * columns * along);
  const sums = Array.from({ length: m }, (_, row) => w.variable(`sum_${row}`, "0.0"));
  w.loop("k", times(part, lanes), `${k}u`, along * lanes, (at) => {
    const b = w.bind(operands.weight.load(axesPlace(operands.weight.shape, [used, at], lanes)), "b");
    for (let row = 0; row < m; row++) {
      const a = operands.x.load(rowPlace(operands.x.shape, `${row}u`, at, lanes));
      w.line(`${sums[row]} += ${lanes === 4 ? `dot(${a}, ${b})` : `${a} * ${b}`};`);
    }
  });
  for (let row = 0; row < m; row++)
    w.line(`${partial}[${plus(`${row * columns * along}u`, "lane")}] = ${sums[row]};`);
  w.barrier();
  w.line("// One invocation a result adds the sixteen parts.");
  w.block(`if (lane < ${m * columns}u)`, () => {
    const out = w.bind(plus(times(groupIndex(groups, request.limits), columns), `lane % ${columns}u`), "n");
    const total = w.variable("total", "0.0");
    w.loop("p", "0u", `${along}u`, 1, (p) => {
      w.line(`${total} += ${partial}[lane * ${along}u + ${p}];`);
    });
    w.block(`if (${out} < ${n}u)`, () => {
      const bias = operands.bias?.load(axesPlace([n], [out]));
      y.store(
        rowPlace(y.shape, `lane / ${columns}u`, out),
        bias === undefined ? total : `${total} + ${bias}`,
      );
    });
  });
  const kernel = w.finish({
    name,
    comment,
    grid: gridOf(groups, request.limits),
    workgroupSize: [columns * along, 1, 1],
  });
  return single(w, kernel);
}
