// The kernel tables: spot checks against ONNX Runtime's documentation, and against what a session really does.
import { describe, expect, test } from "vitest";
import { missingKernel, type NodeSignature, type Provider } from "../../src/emit-onnx/capability/kernels.js";
import { irVersionFor, limitsFor, sinceVersion } from "../../src/emit-onnx/capability/opsets.js";

const node = (
  op: string,
  opset: number,
  inputs: NodeSignature["inputs"],
  outputs: NodeSignature["outputs"],
  domain = "",
) => ({ domain, op, opset, inputs, outputs }) satisfies NodeSignature;

const [f, h, l] = ["float", "float16", "int64"] as const;

describe("kernels", () => {
  test.each<[Provider, NodeSignature]>([
    ["cpu", node("MatMul", 18, [f, f], [f])],
    ["cuda", node("MatMul", 26, [h, h], [h])],
    ["cuda", node("Gather", 18, [l, l], [l])],
    ["cuda", node("LayerNormalization", 18, [f, f, undefined], [f])],
    ["cuda", node("Loop", 18, [l, undefined, f, l], [f, l])],
    ["cuda", node("Rfft", 18, [f], [f], "com.microsoft")],
    ["cpu", node("DFT", 18, [f, l], [f])],
    ["webgpu", node("MatMul", 18, [f, f], [f])],
    ["cpu", node("Where", 18, ["bool", f, f], [f])],
  ])("%s has %o", (provider, signature) => {
    expect(missingKernel(provider, signature)).toBeUndefined();
  });

  test.each<[Provider, NodeSignature, RegExp]>([
    ["cuda", node("DFT", 18, [f, l], [f]), /no kernel for DFT at all/],
    ["cpu", node("Rfft", 18, [f], [f], "com.microsoft"), /no kernel for com.microsoft:Rfft at all/],
    ["cpu", node("MatMul", 18, [h, h], [h]), /MatMul\(float16, float16\) -> float16/],
    ["cuda", node("ArgMax", 18, [l], [l]), /ArgMax\(int64\)/],
    ["cuda", node("Equal", 19, [f, f], ["bool"]), /as defined in opset 19/],
    ["cpu", node("Gelu", 18, [f], [f]), /does not exist in opset 18/],
    ["webgpu", node("Loop", 18, [l], [f]), /no kernel for Loop at all/],
  ])("%s lacks %o", (provider, signature, why) => {
    expect(missingKernel(provider, signature)).toMatch(why);
  });
});

test("since versions are those of the operator in force", () => {
  expect([12, 13, 26].map((opset) => sinceVersion("", "ArgMax", opset))).toEqual([12, 13, 13]);
  expect(sinceVersion("", "RMSNormalization", 22)).toBeUndefined();
  expect(sinceVersion("com.microsoft", "Gelu", 18)).toBe(1);
});

test("versions for a release", () => {
  expect(limitsFor("1.20.1")).toEqual({ release: "1.18", opset: 21, irVersion: 10 });
  expect(irVersionFor(18, limitsFor("1.16"))).toBe(9);
  expect(irVersionFor(18, limitsFor("1.30"))).toBe(10);
  expect(irVersionFor(23, limitsFor("1.30"))).toBe(11);
});
