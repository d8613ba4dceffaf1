// Hyena cases of other sizes and options than the committed one, computed by definition: odd lengths, lengths below
// and beyond l_max, order 3 and 4, windows with a floor, other depths.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { drawWeights } from "./direct/arithmetic.js";
import { filterShapes, outcome, shareFilter, transposed } from "./direct/filters.js";
import { filterTaps, hyenaOperator } from "./direct/hyena.js";

let place: string;
beforeAll(() => {
  place = mkdtempSync(join(tmpdir(), "dlmc-direct-"));
});
afterAll(() => rmSync(place, { recursive: true }));

it.each([
  {
    id: "order-2-one-position",
    batch: 3,
    length: 1,
    built: 16,
    width: 4,
    order: 2,
    inner: 2,
    emb: 3,
    shift: 0,
  },
  {
    id: "order-2-built-for-one",
    batch: 1,
    length: 1,
    built: 1,
    width: 2,
    order: 2,
    inner: 2,
    emb: 3,
    shift: 0,
  },
  { id: "order-3-odd", batch: 2, length: 7, built: 16, width: 5, order: 3, inner: 2, emb: 5, shift: 0 },
  {
    id: "order-4-shifted",
    batch: 1,
    length: 31,
    built: 31,
    width: 3,
    order: 4,
    inner: 1,
    emb: 7,
    shift: 0.05,
  },
  { id: "order-2-wide", batch: 1, length: 5, built: 9, width: 6, order: 2, inner: 3, emb: 3, shift: 0.01 },
])("Hyena $id", async ({ id, batch, length, built, width, order, inner, emb, shift }) => {
  const weights = shareFilter(
    drawWeights(3, {
      "in_proj.weight": [(order + 1) * width, width],
      "in_proj.bias": [(order + 1) * width],
      "out_proj.weight": [width, width],
      "out_proj.bias": [width],
      "short_filter.weight": [(order + 1) * width, 1, 3],
      "short_filter.bias": [(order + 1) * width],
      ...filterShapes("filter_fn", ["implicit_filter"], {
        built,
        emb,
        width: 8,
        inner,
        out: (order - 1) * width,
      }),
    }),
    1,
  );
  const args = {
    d_model: width,
    l_max: built,
    order,
    filter_order: 8,
    emb_dim: emb,
    num_inner_mlps: inner,
    shift,
  };
  const found = await outcome(
    place,
    { id, system: "Hyena", args, weights },
    "in.u",
    [batch, length, width],
    (round, u) => {
      const taps = filterTaps(round, weights, "filter_fn", "implicit_filter", length, { shift });
      const filters = Array.from({ length: order - 1 }, (_, o) => [
        `mid.conv${o}.K`,
        transposed(taps.map((row) => row.slice(o * width, (o + 1) * width))),
      ]);
      return { out: hyenaOperator(round, weights, u, order, { shift }), once: Object.fromEntries(filters) };
    },
  );
  expect(found).toBe("pass");
});

it("Hyena on more positions than it was built for: the first l_max", async () => {
  const [width, built, order] = [3, 6, 2];
  const weights = shareFilter(
    drawWeights(4, {
      "in_proj.weight": [3 * width, width],
      "in_proj.bias": [3 * width],
      "out_proj.weight": [width, width],
      "out_proj.bias": [width],
      "short_filter.weight": [3 * width, 1, 3],
      "short_filter.bias": [3 * width],
      ...filterShapes("filter_fn", ["implicit_filter"], { built, emb: 3, width: 4, inner: 2, out: width }),
    }),
    1,
  );
  const facts = { id: "long-input", system: "Hyena", args: { order }, weights };
  const found = await outcome(place, facts, "in.u", [2, 9, width], (round, u) => ({
    out: hyenaOperator(round, weights, u.slice(0, built), order),
  }));
  expect(found).toBe("pass");
});
