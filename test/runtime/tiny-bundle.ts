// Writes an ONNX bundle small enough to follow by hand, with every port that the runner knows.
//   @time(level) -> shift = 10 level        @embed: rows of a table        @round: x + 1, its argmax
//   @step: u = where(fixed_mask, fixed_x, x), x0 = u prior_scale + 0.5 self_cond + shift

import { mkdirSync, writeFileSync } from "node:fs";
import { onnx } from "onnx-proto";

const { FLOAT, INT64, BOOL } = onnx.TensorProto.DataType;
type Shape = readonly (number | string)[];
const names = new Map<number, string>([
  [FLOAT, "float"],
  [INT64, "int64"],
  [BOOL, "bool"],
]);

interface Port {
  readonly name: string;
  readonly type: number;
  readonly shape: Shape;
}

const port = (name: string, shape: Shape, type: number = FLOAT): Port => ({ name, type, shape });
const proto = ({ name, type, shape }: Port): onnx.IValueInfoProto => ({
  name,
  type: {
    tensorType: {
      elemType: type,
      shape: { dim: shape.map((e) => (typeof e === "number" ? { dimValue: e } : { dimParam: e })) },
    },
  },
});
const node = (opType: string, input: string[], output: string, attribute: onnx.IAttributeProto[] = []) => ({
  opType,
  input,
  output: [output],
  attribute,
});
const int = (name: string, i: number): onnx.IAttributeProto => ({
  name,
  type: onnx.AttributeProto.AttributeType.INT,
  i,
});
const floats = (name: string, values: readonly number[], dims: readonly number[]): onnx.ITensorProto => ({
  name,
  dataType: FLOAT,
  dims: [...dims],
  floatData: [...values],
});
const ints = (name: string, values: readonly number[], dims: readonly number[]): onnx.ITensorProto => ({
  name,
  dataType: INT64,
  dims: [...dims],
  int64Data: [...values],
});

/** Sizes of the tiny model and its embedding table [3, 2]; its logits are as wide as its state. */
export const tiny = { length: 3, dim: 2, table: [1, 2, 3, 4, 5, 6] } as const;
const x: Shape = ["B", 3, 2];

const argmax = (input: string) => node("ArgMax", [input], "tokens", [int("axis", 2), int("keepdims", 0)]);
const pick = (i: number) => node("Gather", ["coefficients", `i${i}`], `k${i}`);

const graphs = {
  time: {
    inputs: [port("level", ["B"])],
    outputs: [port("shift", ["B"])],
    nodes: [node("Mul", ["level", "ten"], "shift")],
    initializers: [floats("ten", [10], [1])],
  },
  embed: {
    inputs: [port("tokens", ["B", 3], INT64)],
    outputs: [port("x", x)],
    nodes: [node("Gather", ["table", "tokens"], "x")],
    initializers: [floats("table", tiny.table, [3, 2])],
  },
  round: {
    inputs: [port("x", x)],
    outputs: [port("logits", x), port("tokens", ["B", 3], INT64)],
    nodes: [node("Add", ["x", "one"], "logits"), argmax("logits")],
    initializers: [floats("one", [1], [1])],
  },
  step: {
    inputs: [
      port("x", x),
      port("self_cond", x),
      port("noise", x),
      port("coefficients", [4]),
      port("shift", ["B"]),
      port("prior_scale", [1]),
      port("fixed_mask", ["B", 3], BOOL),
      port("fixed_x", x),
    ],
    outputs: [port("x_next", x), port("x0", x), port("tokens", ["B", 3], INT64)],
    nodes: [
      node("Unsqueeze", ["fixed_mask", "last"], "mask"),
      node("Where", ["mask", "fixed_x", "x"], "u"),
      node("Mul", ["u", "prior_scale"], "scaled"),
      node("Mul", ["self_cond", "half"], "halved"),
      node("Add", ["scaled", "halved"], "sum"),
      node("Unsqueeze", ["shift", "trailing"], "shift3"),
      node("Add", ["sum", "shift3"], "x0"),
      ...[0, 1, 2, 3].map(pick),
      node("Mul", ["x0", "k0"], "term0"),
      node("Mul", ["u", "k1"], "term1"),
      node("Mul", ["self_cond", "k2"], "term2"),
      node("Mul", ["noise", "k3"], "term3"),
      node("Sum", ["term0", "term1", "term2", "term3"], "x_next"),
      argmax("x0"),
    ],
    initializers: [
      ints("last", [2], [1]),
      ints("trailing", [1, 2], [2]),
      floats("half", [0.5], [1]),
      ...[0, 1, 2, 3].map((i) => ints(`i${i}`, [i], [])),
    ],
  },
};

/** The sampler that the manifest carries. */
export const tinySampler = {
  noise_schedule: { family: "log_linear", eps: 0.1 },
  timesteps: { kind: "linspace", num_steps: 3, to: 0.2 },
  time_conditioning: { input: "t" },
  sampler: { kind: "ddim", eta: 1 },
} as const;

/** Writes the bundle into `directory`; `edit` may change the manifest before. */
export function writeTinyBundle(
  directory: string,
  edit: (manifest: Record<string, unknown>) => void = () => {},
): void {
  mkdirSync(directory, { recursive: true });
  for (const [name, { inputs, outputs, nodes, initializers }] of Object.entries(graphs)) {
    const model = onnx.ModelProto.create({
      irVersion: 8,
      opsetImport: [{ domain: "", version: 17 }],
      graph: {
        name,
        node: nodes,
        initializer: initializers,
        input: inputs.map(proto),
        output: outputs.map(proto),
      },
    });
    writeFileSync(`${directory}/${name}.onnx`, onnx.ModelProto.encode(model).finish());
  }
  const ports = (list: readonly Port[]) =>
    list.map(({ name, type, shape }) => ({ name, element: names.get(type)!, shape }));
  const manifest: Record<string, unknown> = {
    format: "dlmc-onnx",
    version: 1,
    graphs: Object.entries(graphs).map(([name, { inputs, outputs }]) => ({
      name,
      file: `${name}.onnx`,
      length: 3,
      inputs: ports(inputs),
      outputs: ports(outputs),
    })),
    sampler: tinySampler,
  };
  edit(manifest);
  writeFileSync(`${directory}/manifest.json`, JSON.stringify(manifest));
}
