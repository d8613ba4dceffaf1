// Independent readers must see the graph we wrote: onnx-proto (ONNX 1.10), onnx-buf (ONNX 1.20) and, where it is
// installed, ONNX's own Python checker.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fromBinary } from "@bufbuild/protobuf";
import { ModelProtoSchema } from "onnx-buf";
import { onnx } from "onnx-proto";
import { describe, expect, test } from "vitest";
import { emitOnnx } from "../../src/emit-onnx/emit.js";
import { decodeModel } from "../../src/emit-onnx/proto/read.js";
import { encodeModel } from "../../src/emit-onnx/proto/write.js";
import { onnxText } from "../../src/emit-onnx/text.js";
import { emitOptions, withBundle } from "./ort.js";
import { toyModel } from "./toy.js";

const bundle = emitOnnx([{ module: toyModel() }], { ...emitOptions, sample: true });

describe("a written model, read by others", () => {
  for (const { name, content, model } of bundle.graphs) {
    test(`${name}: our reader`, () => {
      expect(onnxText(decodeModel(content))).toBe(onnxText(model));
      expect(encodeModel(decodeModel(content))).toEqual(content);
    });

    test(`${name}: onnx-proto`, () => {
      const read = onnx.ModelProto.decode(content);
      expect(Number(read.irVersion)).toBe(model.irVersion);
      expect(read.opsetImport.map((o) => [o.domain, Number(o.version)])).toEqual([
        ["", model.opsetImport[0]!.version],
      ]);
      interface Node {
        readonly opType?: string | null;
        readonly input?: readonly string[] | null;
        readonly output?: readonly string[] | null;
      }
      const shape = (n: Node) => [n.opType, n.input, n.output];
      expect((read.graph!.node as Node[]).map(shape)).toEqual(model.graph.node.map(shape));
      expect(read.graph!.initializer!.map((t) => [t.name, t.dims!.map(Number), t.dataType])).toEqual(
        model.graph.initializer.map((t) => [t.name, t.dims, t.dataType]),
      );
      const input = read.graph!.input![0]!.type!.tensorType!;
      expect(input.shape!.dim!.map((d) => d.dimParam || Number(d.dimValue))).toEqual(
        model.graph.input[0]!.type.tensorType.shape!.dim.map((d) => d.dimParam ?? d.dimValue),
      );
    });

    test(`${name}: onnx-buf, node metadata too`, () => {
      const read = fromBinary(ModelProtoSchema, content);
      expect(
        read.graph!.node.map((n) => [n.name, n.opType, n.metadataProps.map((p) => [p.key, p.value])]),
      ).toEqual(
        model.graph.node.map((n) => [n.name, n.opType, (n.metadataProps ?? []).map((p) => [p.key, p.value])]),
      );
      const attributes = read.graph!.node.flatMap((n) =>
        n.attribute.map((a) => [a.name, a.type, Number(a.i), a.ints.map(Number), a.f]),
      );
      expect(attributes).toEqual(
        model.graph.node.flatMap((n) =>
          (n.attribute ?? []).map((a) => [a.name, a.type, a.i ?? 0, a.ints ?? [], Math.fround(a.f ?? 0)]),
        ),
      );
      const places = read.graph!.initializer.map((t) => t.externalData.map((e) => [e.key, e.value]));
      expect(places).toEqual(
        model.graph.initializer.map((t) => (t.externalData ?? []).map((e) => [e.key, e.value])),
      );
    });
  }
});

test("external data name the bytes of the weight", async () => {
  await withBundle(toyModel(), {}, async (directory) => {
    const model = decodeModel(readFileSync(join(directory, "denoise.onnx")));
    const file = readFileSync(join(directory, "weights.safetensors"));
    const table = model.graph.initializer.find((t) => t.name === "embedding.table")!;
    const entry = (key: string) => table.externalData!.find((e) => e.key === key)!.value;
    expect(entry("location")).toBe("weights.safetensors");
    const offset = Number(entry("offset"));
    const stored = new Float32Array(
      file.buffer.slice(file.byteOffset + offset, file.byteOffset + offset + Number(entry("length"))),
    );
    expect([...stored]).toEqual([...toyModel().weights.read("embedding.table").data]);
  });
});

test("the bytes depend on the module alone", () => {
  const again = emitOnnx([{ module: toyModel() }], { ...emitOptions, sample: true });
  expect(again.graphs.map((g) => g.sha256)).toEqual(bundle.graphs.map((g) => g.sha256));
  const longer = emitOnnx([{ module: toyModel(7) }], emitOptions);
  expect(longer.graphs[0]!.sha256).not.toBe(bundle.graphs[0]!.sha256);
});

const python = "/usr/bin/python3";
const hasChecker = spawnSync(python, ["-c", "import onnx"]).status === 0;

/**
 * Debian's onnx is 1.12: opset 17, IR 8. The stamp of the opset is lowered for it; the toy model has no operator
 * that changed in between. Strict inference compares every type and shape we state with what ONNX derives.
 */
const checkScript = `
import sys, onnx, onnx.checker, onnx.numpy_helper, onnx.shape_inference
model = onnx.load(sys.argv[1])
for o in model.opset_import: o.version = min(o.version, 17)
onnx.checker.check_model(model)
onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
for t in model.graph.initializer:
    assert list(t.dims) == list(onnx.numpy_helper.to_array(t).shape), t.name
print(len(model.graph.node))
`;

test("ONNX's own checker and shape inference accept the files, weights included", async () => {
  if (!hasChecker) {
    console.log("not run: python3-onnx missing");
    expect(process.env.CI, "python3-onnx must be installed in CI").toBeUndefined();
    return;
  }
  await withBundle(toyModel(), { minOrt: "1.14", sample: true }, async (directory) => {
    for (const name of ["denoise", "step", "sample"]) {
      const file = join(directory, `${name}.onnx`);
      const checked = spawnSync(python, ["-c", checkScript, file], { encoding: "utf8" });
      expect(checked.stderr).toBe("");
      expect(Number(checked.stdout)).toBe(decodeModel(readFileSync(file)).graph.node.length);
    }
  });
});
