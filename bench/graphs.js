// The FFT mixer layer y = g2 (K * u + skip u), u = g1 v, several in a row with filters of their own: as dlmc
// emits it, and as torch.onnx exports rfft and irfft.

import { closeSync, mkdirSync, openSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { emitOnnx, writeOnnxBundle } from "../dist/emit-onnx/emit.js";
import { encodeModel } from "../dist/emit-onnx/proto/write.js";
import { Builder } from "../dist/ir/build.js";
import { Dim, dim } from "../dist/ir/dim.js";
import { tensor } from "../dist/ir/tensor.js";
import { type } from "../dist/ir/type.js";
import { chooseFft } from "../dist/passes/choose-fft.js";
import { padFft } from "../dist/passes/pad-fft.js";
import { runPasses } from "../dist/passes/pass.js";
import { rfftOf } from "./transform.js";

/** Numbers in [-1, 1) from a linear congruential generator, so that every run times the same work. */
export function noise(count, seed) {
  let state = (seed * 2654435761) >>> 0;
  const values = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    values[i] = state / 2 ** 31 - 1;
  }
  return values;
}

/** Taps [N, D] of every layer, scaled so that a layer keeps the size of its input, and skips [D]. */
export function layerWeights({ length, channels, layers }) {
  return Array.from({ length: layers }, (_, i) => ({
    taps: noise(length * channels, 11 + i).map((v) => v / Math.sqrt(length / 3)),
    skip: noise(channels, 101 + i),
  }));
}

/** dlmc's graph, written to `directory`; inputs v, g1, g2 and output y are [B, N, D]. Returns path and module. */
export function writeOurs(directory, { length, channels, batch }, weights) {
  const b = new Builder("mixer");
  const shape = [Dim.symbol("B", 1, 64), length, channels];
  const [v, g1, g2] = ["v", "g1", "g2"].map((name) => b.input(name, type("f32", shape)));
  let y = v;
  const stored = new Map();
  weights.forEach(({ taps, skip }, i) => {
    stored.set(`taps.${i}`, tensor("f32", [length, channels], Float64Array.from(taps)));
    stored.set(`skip.${i}`, tensor("f32", [channels], Float64Array.from(skip)));
    const k = b.weight(`taps.${i}`, [dim(length), dim(channels)]);
    const d = b.weight(`skip.${i}`, [dim(channels)]);
    const u = b.emit("mul", { a: g1, b: y }, {});
    y = b.emit("mul", { a: g2, b: b.emit("long_conv", { x: u, k, skip: d }, { lag0: 0 }) }, {});
  });
  const source = { has: (name) => stored.has(name), read: (name) => stored.get(name) };
  const module = { dims: new Map([["B", shape[0]]]), graphs: [b.finish({ y })], weights: source };
  const lowered = runPasses(module, [padFft({ batch }), chooseFft({ batch })]);
  mkdirSync(directory, { recursive: true });
  writeOnnxBundle(emitOnnx([{ module: lowered }], { version: "bench" }), (name) => {
    const file = openSync(join(directory, name), "w");
    return { write: (bytes) => void writeSync(file, bytes), close: () => closeSync(file) };
  });
  return { path: join(directory, "mixer.onnx"), module };
}

const float = 1;
const int64 = 7;

/**
 * The exporter's graph in its best layout, [B, D, N]: Pad to 2N, Unsqueeze, DFT(onesided), complex product
 * with a constant spectrum, DFT(inverse, onesided), Squeeze, Slice (onnxscript, torch_lib/ops/fft.py).
 */
export function writeDft(path, { length, channels, batch, layers }, weights) {
  const node = [];
  const initializer = [];
  const emit = (opType, input, attribute = []) => {
    const output = `${opType}_${node.length}`;
    node.push({ name: output, opType, input, output: [output], attribute });
    return output;
  };
  const constant = (name, dataType, dims, values) => {
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    initializer.push({ name, dims, dataType, rawData: bytes });
    return name;
  };
  const ints = (name, ...values) =>
    constant(name, int64, [values.length], BigInt64Array.from(values.map(BigInt)));
  const flag = (name, i) => ({ name, type: 2, i });
  const points = 2 * length;
  const pads = ints("pads", 0, 0, 0, 0, 0, length);
  const [last, zero, end, one, two, time] = [
    ints("last", -1),
    ints("zero", 0),
    ints("end", length),
    ints("one", 1),
    ints("two", 2),
    ints("time", 2),
  ];
  const axis = constant("axis", int64, [], BigInt64Array.of(2n));
  const count = constant("count", int64, [], BigInt64Array.of(BigInt(points)));
  let y = "v";
  for (let i = 0; i < layers; i++) {
    const { re, im } = rfftOf(weights[i].taps, length, channels, points);
    const spectrum = [
      constant(`re.${i}`, float, [channels, length + 1, 1], re),
      constant(`im.${i}`, float, [channels, length + 1, 1], im),
    ];
    const skip = constant(`skip.${i}`, float, [channels, 1], weights[i].skip);
    const u = emit("Mul", ["g1", y]);
    const line = emit("Unsqueeze", [emit("Pad", [u, pads]), last]);
    const bins = emit("DFT", [line, "", axis], [flag("onesided", 1)]);
    const real = emit("Slice", [bins, zero, one, last]);
    const imaginary = emit("Slice", [bins, one, two, last]);
    const product = emit(
      "Concat",
      [
        emit("Sub", [emit("Mul", [real, spectrum[0]]), emit("Mul", [imaginary, spectrum[1]])]),
        emit("Add", [emit("Mul", [real, spectrum[1]]), emit("Mul", [imaginary, spectrum[0]])]),
      ],
      [{ name: "axis", type: 2, i: -1 }],
    );
    const back = emit("DFT", [product, count, axis], [flag("inverse", 1), flag("onesided", 1)]);
    const convolved = emit("Slice", [emit("Squeeze", [back, last]), zero, end, time]);
    const sum = emit("Add", [convolved, emit("Mul", [u, skip])]);
    y = emit("Mul", ["g2", sum]);
  }
  node[node.length - 1].output = ["y"];
  const info = (name) => ({
    name,
    type: {
      tensorType: {
        elemType: float,
        shape: { dim: [batch, channels, length].map((dimValue) => ({ dimValue })) },
      },
    },
  });
  const graph = {
    name: "exported",
    node,
    initializer,
    input: ["v", "g1", "g2"].map(info),
    output: [info("y")],
    valueInfo: [],
  };
  const model = {
    irVersion: 9,
    opsetImport: [{ domain: "", version: 20 }],
    producerName: "bench",
    producerVersion: "1",
    graph,
  };
  writeFileSync(path, encodeModel(model));
}
