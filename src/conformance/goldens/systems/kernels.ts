// Kernels alone, and StripedHyena 2's inner filters: convolutions whose gates upstream's case puts around them.

import { floats, load, openGraph } from "../backends.js";
import type { Computed } from "../compare.js";
import { type Each, mapEach } from "../each.js";
import {
  flagOption,
  type GoldenCase,
  hasTensor,
  numberOption,
  tensorOf,
  weightShape,
} from "../golden-case.js";
import { swapLastAxes } from "../layout.js";
import { probesOf } from "../probes.js";
import { tiled } from "./filters.js";
import type { GoldenSystem } from "./system.js";

/** LongConvKernel: smoothing, then the squash. The kernel is read off as the taps of a convolution. */
export const longConvKernel: GoldenSystem = {
  name: "LongConv kernel",
  covers: (golden) => golden.system === "LongConvKernel",
  async compute(golden, work) {
    const [channels = 1, width = 1, stored = 1] = weightShape(golden, "kernel") ?? [];
    const causal = flagOption(golden, "causal") ?? true;
    const rows = channels * width;
    const length = causal ? stored : stored / 2;
    const filter = {
      kind: "explicit",
      ...(causal ? { span: "causal" } : { span: "bidirectional", reverse_filter: "full_2l" }),
      length,
      smoothing:
        flagOption(golden, "use_ma_smoothing") === true ? (numberOption(golden, "ma_window_len") ?? 7) : 1,
      smoothing_domain: flagOption(golden, "smooth_freq") === true ? "frequency" : "time",
      squash: numberOption(golden, "lam", "kernel_lam") ?? 0.1,
    };
    const map = {
      "filters.0.taps": {
        from: "kernel",
        transforms: [{ kind: "reshape", shape: [rows, stored] }, { kind: "transpose" }],
      },
    };
    const convolve = await convolution(golden, work, { width: rows, length, filter, map, skip: "none" });
    const shrunk = await convolve.probe("shrunk", "smoothed", "taps");
    return [
      {
        name: "out",
        ...mapEach(shrunk, (data) => swapLastAxes({ shape: [stored, rows], data }).data),
      },
    ];
  },
};

export const stripedHyena: GoldenSystem = {
  name: "StripedHyena 2",
  covers: (golden) => golden.system === "StripedHyena2/vortex",
  async compute(golden, work) {
    const results: Computed[] = [];
    const z = tensorOf(golden, "in.z");
    const [batch = 1, streams = 3, length = 1] = z.shape;
    const width = streams / 3;
    const rows = swapLastAxes(z).data;
    // z is x2, x1, v on channels, of each head in turn when columns are split; hyena_flip_x1x2 swaps the first two.
    const [after, before] = flagOption(golden, "hyena_flip_x1x2") === true ? [1, 0] : [0, 1];
    const heads = columnHeads(golden);
    const size = width / heads;
    const column = (k: number, c: number) => Math.floor(c / size) * 3 * size + k * size + (c % size);
    const stream = (k: number) =>
      Float64Array.from(
        { length: batch * length * width },
        (_, at) => rows[Math.floor(at / width) * streams + column(k, at % width)]!,
      );
    const [gate, inner, value] = [stream(after), stream(before), stream(2)];
    const gated = value.map((v, at) => v * inner[at]!);
    const channelsFirst = (data: Float64Array) => swapLastAxes({ shape: [batch, length, width], data }).data;
    const closed = (each: Each<Float64Array>, first: boolean) =>
      mapEach(each, (y) => {
        const product = y.map((v, at) => v * gate[at]!);
        return first ? channelsFirst(product) : product;
      });
    for (const name of golden.weights?.names() ?? []) {
      const taps = /^fir(\d+)\.weight$/.exec(name)?.[1];
      if (taps === undefined) continue;
      const short = `out.fir${taps}_gated`;
      const squeezed = { from: name, transforms: [{ kind: "squeeze", axes: [1] }] };
      if (hasTensor(golden, short) && Number(taps) < 128)
        results.push({
          name: short,
          ...closed(await shortConv(golden, `${work}/${taps}`, name, gated, width), true),
        });
      else if (hasTensor(golden, short)) {
        const groups = weightShape(golden, name)![0];
        const filter = { kind: "explicit", span: "causal", length: Number(taps), groups };
        const map = {
          "filters.0.taps": { ...squeezed, transforms: [...squeezed.transforms, { kind: "transpose" }] },
          "skip.0": "D",
        };
        const run = await convolution(golden, `${work}/${taps}`, {
          width,
          length,
          filter,
          map,
          skip: "gated_input",
        });
        results.push({ name: short, ...closed(await run.output(gated), true) });
      }
      const projected = `out.fir${taps}_proj`;
      if (hasTensor(golden, projected)) {
        const input = tensorOf(golden, "in.u_proj");
        const all = input.shape[2]!;
        const y = await shortConv(golden, `${work}/${taps}p`, name, input.data, all);
        results.push({
          name: projected,
          ...mapEach(y, (data) => swapLastAxes({ shape: [batch, length, all], data }).data),
        });
      }
    }
    if (weightShape(golden, "log_poles") !== undefined) {
      const [groups = width, states] = weightShape(golden, "log_poles")!;
      const filter = {
        kind: "modal",
        span: "causal",
        groups,
        states,
        discretization: "none",
        poles: { real: "plain", imag: "none" },
      };
      const map = { "filters.0.poles.real": "log_poles", "filters.0.residues": "residues", "skip.0": "D" };
      const run = await convolution(golden, `${work}/iir`, {
        width,
        length,
        filter,
        map,
        skip: "gated_input",
      });
      if (hasTensor(golden, "out.iir"))
        results.push({ name: "out.iir", ...closed(await run.output(gated), false) });
      if (hasTensor(golden, "out.modal_h"))
        results.push({
          name: "out.modal_h",
          ...mapEach(await run.taps(), (data) => swapLastAxes({ shape: [length, groups], data }).data),
        });
    }
    return results;
  },
};

/** Heads whose columns of z stand together; 1 for streams that are whole. */
function columnHeads(golden: GoldenCase): number {
  const split = flagOption(golden, "column_split_hyena", "column_split") === true;
  return (split ? numberOption(golden, "num_attention_heads", "num_heads", "heads") : undefined) ?? 1;
}

interface Convolution {
  readonly width: number;
  readonly length: number;
  readonly filter: Readonly<Record<string, unknown>>;
  readonly map: Readonly<Record<string, unknown>>;
  readonly skip: "none" | "gated_input";
}

/** One long convolution without projections, opened for its output, its taps, or a value inside. */
async function convolution(golden: GoldenCase, work: string, one: Convolution) {
  const { width, length, filter, map, skip } = one;
  const mixer = { kind: "long_conv", in_proj: { kind: "none" }, filter, skip, out_proj: { kind: "none" } };
  const weights = { file: golden.weightsFile, map, ignore: ["*"] };
  const model = load({ name: golden.id, part: "mixer", width, seq_len: length, mixer, weights }, work);
  const probes = probesOf(model.module, "mixer");
  const run = async (probe: Parameters<typeof openGraph>[2], x: Float64Array, name: string) => {
    const graph = await openGraph(model, "mixer", probe, `${work}/${name}`);
    const outputs = await graph.run({ x: floats([x.length / (length * width), length, width], x) });
    await graph.dispose();
    return mapEach(outputs, (values) => values[name]!);
  };
  const silence = new Float64Array(length * width);
  return {
    output: (x: Float64Array) => run({}, x, "y"),
    taps: () => run({ taps: probes.ops("long_conv")[0]?.operands[1] }, silence, "taps"),
    /** The first value with one of these hints. */
    probe: (...hints: readonly string[]) =>
      run(
        {
          probed:
            hints.map((hint) => probes.hinted(hint)).find((value) => value !== undefined) ??
            probes.reading("filters.0.taps"),
        },
        silence,
        "probed",
      ),
  };
}

/** A depthwise convolution with PyTorch's taps, and its bias if the case has one. */
async function shortConv(golden: GoldenCase, work: string, weight: string, x: Float64Array, width: number) {
  const length = tensorOf(golden, "in.z").shape[2]!;
  const [stored = width, , taps = 1] = weightShape(golden, weight)!;
  const bias = weight.replace(/weight$/, "bias");
  const biased = weightShape(golden, bias) !== undefined;
  const model = load(
    {
      name: golden.id,
      part: "mixer",
      width,
      seq_len: length,
      mixer: { kind: "short_conv", taps, bias: biased },
      weights: {
        file: golden.weightsFile,
        map: {
          // A grouped filter serves neighbouring channels.
          "short_conv.weight": tiled(weight, width / stored, 1, { kind: "reshape", shape: [width, taps] }),
          ...(biased && { "short_conv.bias": bias }),
        },
        ignore: ["*"],
      },
    },
    work,
  );
  const graph = await openGraph(model, "mixer", {}, work);
  const outputs = await graph.run({ x: floats([x.length / (length * width), length, width], x) });
  await graph.dispose();
  return mapEach(outputs, ({ y }) => y!);
}
