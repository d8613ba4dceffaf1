// Products too small to share loads through workgroup memory: no barrier, 4 x 4 results an invocation, straight
// from the buffers. Rows belong to the workgroup where the matrix is wide, so a's loads are uniform.

import type { Implementation } from "../kernel.js";
import { divided, modulo, plus, times } from "../place.js";
import { single } from "../single.js";
import type { Product } from "./product.js";

/** Results of an invocation along each axis; sixteen sums are what registers hold everywhere. */
const side = 4;
const most = 64;

export function directProduct({ name, comment, batch, m, k, n, transposed, open }: Product): Implementation {
  const across = Math.min(most, 2 ** Math.ceil(Math.log2(Math.ceil(n / side))));
  const down = across < most / 2 ? most / across : 1;
  const wideK = k % 4 === 0;
  const wideN = n % 4 === 0;
  const ends = open(wideK || (!transposed && wideN) ? 4 : 1, wideN ? 4 : 1);
  const { writer: w } = ends;
  const z = batch === 1 ? "0u" : "group.z";
  const block = w.bind(
    down === 1 ? "group.y" : plus(times("group.y", down), divided("lane", across)),
    "block",
  );
  const m0 = w.bind(times(block, side), "m_first");
  const column = plus(times("group.x", across), down === 1 ? "lane" : modulo("lane", across));
  const n0 = w.bind(times(column, side), "n_first");
  const whole = n % (across * side) === 0 && m % (down * side) === 0;

  const body = (): void => {
    const row = [0, 1, 2, 3].map((i) => {
      const at = plus(m0, `${i}u`);
      return w.bind(m % side === 0 ? at : `min(${at}, ${m - 1}u)`, `row_${i}`);
    });
    const columns = [0, 1, 2, 3].map((j) => {
      const at = plus(n0, `${j}u`);
      return w.bind(wideN ? at : `min(${at}, ${n - 1}u)`, `column_${j}`);
    });
    const sum = w.zero("sum", `array<vec4f, ${side}>`);
    const sums = row.map((_, i) => `${sum}[${i}]`);
    /** Four neighbours of b along n. */
    const alongN = (at: string): string =>
      !transposed && wideN
        ? w.bind(ends.b(z, at, n0, 4), "b")
        : w.bind(`vec4f(${columns.map((c) => ends.b(z, at, c, 1)).join(", ")})`, "b");
    w.loop("k", "0u", `${k}u`, wideK ? 4 : 1, (at) => {
      if (!wideK) {
        const b = alongN(at);
        for (const [i, total] of sums.entries()) w.line(`${total} += ${ends.a(z, row[i]!, at, 1)} * ${b};`);
      } else if (transposed) {
        const b = columns.map((c) => w.bind(ends.b(z, at, c, 4), "b"));
        for (const [i, total] of sums.entries()) {
          const a = w.bind(ends.a(z, row[i]!, at, 4), "a");
          w.line(`${total} += vec4f(${b.map((v) => `dot(${a}, ${v})`).join(", ")});`);
        }
      } else {
        const b = [0, 1, 2, 3].map((q) => alongN(w.bind(plus(at, `${q}u`))));
        for (const [i, total] of sums.entries()) {
          const a = w.bind(ends.a(z, row[i]!, at, 4), "a");
          w.line(`${total} += ${b.map((v, q) => `${a}.${"xyzw"[q]} * ${v}`).join(" + ")};`);
        }
      }
    });
    w.loop("i", "0u", `${side}u`, 1, (i) => {
      const at = w.bind(plus(m0, i), "m");
      const store = (): void => {
        if (wideN) ends.store(z, at, n0, 4, `${sum}[${i}]`);
        else
          w.loop("j", "0u", `${side}u`, 1, (j) => {
            const c = w.bind(plus(n0, j), "n");
            const one = (): void => ends.store(z, at, c, 1, `${sum}[${i}][${j}]`);
            n % side === 0 ? one() : w.block(`if (${c} < ${n}u)`, one);
          });
      };
      m % side === 0 ? store() : w.block(`if (${at} < ${m}u)`, store);
    });
  };
  whole ? body() : w.block(`if (${m0} < ${m}u && ${n0} < ${n}u)`, body);
  const kernel = w.finish({
    name,
    comment: [...comment, `${side} x ${side} results an invocation, no workgroup memory.`],
    grid: [Math.ceil(n / (across * side)), Math.ceil(m / (down * side)), batch],
    workgroupSize: [across * down, 1, 1],
  });
  return single(w, kernel);
}
