// Embedding tables: where the rows come from before they are normalised and scaled. To add one: a schema fragment, a line
// here.

import type { Description } from "../description/description.js";
import { dim } from "../ir/dim.js";
import type { Value } from "../ir/graph.js";
import { child, type GraphContext } from "./context.js";

type Embedding = Extract<Description, { readonly part: "model" }>["embedding"];

/** The table as it is stored, or as it follows from the tokens' numbers, [vocabulary, dim]. */
export function lowerTable(c: GraphContext, { table, dim: width }: Embedding, vocabulary: number): Value {
  const scope = child({ name: "", pointer: "/embedding" }, "embedding");
  return table.kind === "bits"
    ? c.b.at("/embedding/table", () => bits(c, vocabulary, width))
    : c.parameter(scope, "table", [vocabulary, width], "embedding");
}

/**
 * Row v holds the binary digits of v, the lowest first, as -1 and 1. With T the table of m digits, that of m + 1 has the
 * rows (T, -1) and then (T, 1).
 */
function bits(c: GraphContext, vocabulary: number, width: number): Value {
  const { b } = c;
  const column = (value: number, rows: number): Value =>
    b.emit("constant", {}, { value, shape: [dim(rows), dim(1)] });
  const cut = (x: Value, rows: number): Value =>
    x.type.shape[0]!.value === rows
      ? x
      : b.emit("slice", { x }, { axis: 0, start: dim(0), length: dim(rows) });
  let [digits, rows] = [1, Math.min(2, vocabulary)];
  let table = cut(b.emit("concat", { xs: [column(-1, 1), column(1, 1)] }, { axis: 0 }), rows);
  for (; digits < width; digits++) {
    const more = Math.min(rows, vocabulary - rows);
    const low = b.emit("concat", { xs: [table, column(-1, rows)] }, { axis: 1 });
    if (more === 0) {
      table = low;
      continue;
    }
    const high = b.emit("concat", { xs: [cut(table, more), column(1, more)] }, { axis: 1 });
    table = b.emit("concat", { xs: [low, high] }, { axis: 0 });
    rows += more;
  }
  return table;
}
