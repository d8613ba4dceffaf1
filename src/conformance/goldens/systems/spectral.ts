// GFNet's global filter along one axis or two, and AFNO in one dimension.

import { floats, load, openGraph } from "../backends.js";
import type { Computed } from "../compare.js";
import { mapEach } from "../each.js";
import { type GoldenCase, hasTensor, numberOption, tensorOf, weightShape } from "../golden-case.js";
import { swapLastAxes } from "../layout.js";
import { probesOf } from "../probes.js";
import type { GoldenSystem } from "./system.js";

export const gfnet: GoldenSystem = {
  name: "GFNet",
  covers: (golden) => golden.system === "GFNet" && weightShape(golden, "complex_weight") !== undefined,
  compute: (golden, work) => mixed(golden, work, filterOf(golden)),
};

/** One row of positions is a convolution; more are a grid. */
function filterOf(golden: GoldenCase): Described {
  const [rows = 1] = weightShape(golden, "complex_weight")!;
  if (rows > 1) return { mixer: { kind: "global_filter", rows }, map: { spectrum: "complex_weight" } };
  const mixer = {
    kind: "long_conv",
    in_proj: { kind: "none" },
    filter: { kind: "spectrum" },
    skip: "none",
    out_proj: { kind: "none" },
  };
  const squeezed = { from: "complex_weight", transforms: [{ kind: "squeeze", axes: [0] }] };
  return { mixer, map: { "filters.0.spectrum": squeezed } };
}

export const afno: GoldenSystem = {
  name: "AFNO",
  covers: (golden) => golden.system === "AFNO" && weightShape(golden, "w1") !== undefined,
  compute: (golden, work) =>
    mixed(golden, work, {
      mixer: {
        kind: "afno",
        blocks: weightShape(golden, "w1")?.[1],
        expansion: numberOption(golden, "hidden_size_factor") ?? 1,
        sparsity: numberOption(golden, "sparsity_threshold") ?? 0.01,
        kept: numberOption(golden, "hard_thresholding_fraction") ?? 1,
      },
      map: {},
    }),
};

interface Described {
  readonly mixer: Readonly<Record<string, unknown>>;
  readonly map: Readonly<Record<string, unknown>>;
}

/** in.u [B, L, C] through a mixer of its own. */
async function mixed(golden: GoldenCase, work: string, { mixer, map }: Described): Promise<Computed[]> {
  const input = tensorOf(golden, "in.u");
  const [, length = 1, width = 1] = input.shape;
  const model = load(
    {
      name: golden.id,
      part: "mixer",
      width,
      seq_len: length,
      mixer,
      weights: { file: golden.weightsFile, map },
    },
    work,
  );
  const convolution = probesOf(model.module, "mixer").ops("long_conv")[0];
  const graph = await openGraph(model, "mixer", { K: convolution?.operands[1] }, work);
  const outputs = await graph.run({ x: floats(input.shape, input.data) });
  await graph.dispose();
  const results: Computed[] = [{ name: "out", ...mapEach(outputs, ({ y }) => y!) }];
  if (hasTensor(golden, "mid.K_circular"))
    results.push({
      name: "mid.K_circular",
      ...mapEach(outputs, ({ K }) => swapLastAxes({ shape: [length, width], data: K! }).data),
    });
  return results;
}
