// One H3 layer of safari: a shift filter on the keys, a diagonal state-space filter on the outer products of keys and
// values of each head.

import { floats, load, openGraph } from "../backends.js";
import { mapEach } from "../each.js";
import { flagOption, type GoldenCase, tensorOf, weightShape } from "../golden-case.js";
import { type GoldenSystem, isNamed } from "./system.js";

export const h3: GoldenSystem = {
  name: "H3",
  covers: (golden) => isNamed(golden, "h3") && weightShape(golden, "ssm_k_kernel.kernel.B") !== undefined,
  async compute(golden, work) {
    const input = tensorOf(golden, "in.u");
    const [, length = 1, width = 1] = input.shape;
    const model = load(
      { name: golden.id, part: "mixer", width, seq_len: length, ...described(golden, width) },
      work,
    );
    const graph = await openGraph(model, "mixer", {}, work);
    const outputs = await graph.run({ x: floats(input.shape, input.data) });
    await graph.dispose();
    return [{ name: "out", ...mapEach(outputs, ({ y }) => y!) }];
  },
};

/** The layer with its weights under our names. */
function described(golden: GoldenCase, width: number): Record<string, unknown> {
  const heads = weightShape(golden, "D")?.[0] ?? 1;
  const per = width / heads;
  const joined = (parameter: string) => ({
    from: ["q", "k", "v"].map((name) => `${name}_proj.${parameter}`),
    transforms: [{ kind: "concat" }],
  });
  const squeezed = (from: string) => ({ from, transforms: [{ kind: "squeeze", axes: [0] }] });
  const discretization = golden.options.get("disc") === "zoh" ? "zoh" : "bilinear";
  const biased = flagOption(golden, "bias") ?? weightShape(golden, "q_proj.bias") !== undefined;
  return {
    mixer: {
      kind: "long_conv",
      gating: {
        kind: "outer_product",
        head_dim: per,
        key_filter: {
          kind: "shift",
          span: "causal",
          states: weightShape(golden, "ssm_k_kernel.kernel.B")?.[1],
        },
      },
      filter: {
        kind: "modal",
        span: "causal",
        states: weightShape(golden, "kernel.kernel.B")?.[1],
        discretization,
        input: "stored",
      },
      ...(!biased && { in_proj: { kind: "linear", bias: false } }),
    },
    weights: {
      file: golden.weightsFile,
      map: {
        "in_proj.weight": joined("weight"),
        ...(biased && { "in_proj.bias": joined("bias") }),
        "key_filter.input": "ssm_k_kernel.kernel.B",
        "key_filter.residues": squeezed("ssm_k_kernel.kernel.C"),
        key_skip: "ssm_k_D",
        "skip.0": "D",
        "filters.0.residues": squeezed("kernel.kernel.C"),
        "filters.0.input": "kernel.kernel.B",
        "filters.0.log_step": "kernel.kernel.log_dt",
        "filters.0.poles.real": "kernel.kernel.inv_A_real",
        "filters.0.poles.imag": "kernel.kernel.A_imag",
        // Upstream's outputs lie channel of a head by head, ours head by channel.
        "out_proj.weight": {
          from: "output_linear.weight",
          transforms: [
            { kind: "reshape", shape: [width, per, heads] },
            { kind: "transpose", axes: [0, 2, 1] },
            { kind: "reshape", shape: [width, width] },
          ],
        },
        "out_proj.bias": "output_linear.bias",
      },
    },
  };
}
