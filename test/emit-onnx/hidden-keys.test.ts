// Attention on ONNX Runtime with keys that are hidden, of one row two of five are there, of the other none; and with a
// bias by distance.
import { test } from "vitest";
import { Builder } from "../../src/ir/build.js";
import { tensor } from "../../src/ir/tensor.js";
import { type } from "../../src/ir/type.js";
import { batch, moduleOf } from "./op-case.js";
import { expectAgreement, numbers } from "./ort.js";

const visible = tensor("bool", [2, 5], Float64Array.of(0, 1, 0, 1, 0, 0, 0, 0, 0, 0));

test.each([
  { heads: 3, kv_heads: 3 },
  { heads: 4, kv_heads: 2 },
])("$heads heads of $kv_heads key heads", async ({ heads, kv_heads }) => {
  const width = (12 / heads) * kv_heads;
  const inputs = [numbers(50, [2, 3, 12]), numbers(51, [2, 5, width]), numbers(52, [2, 5, width]), visible];
  const attributes = { heads, kv_heads, scale: 0.3 };
  await expectAgreement(moduleOf({ op: "attention", inputs, batched: [0, 1, 2, 3], attributes }), inputs);
});

test.each([
  { heads: 3, kv_heads: 3, mask: "full" as const, span: 1 },
  { heads: 4, kv_heads: 2, mask: "sliding" as const, span: 2 },
])("a bias by distance, $heads heads of $kv_heads key heads, $mask", async ({ heads, kv_heads, ...mask }) => {
  const width = (12 / heads) * kv_heads;
  const inputs = [numbers(53, [2, 5, 12]), numbers(54, [2, 5, width]), numbers(55, [2, 5, width])];
  const bias = numbers(56, [heads, 9]);
  const b = new Builder("test");
  const [q, k, v] = inputs.map((t, i) => b.input(`in${i}`, type("f32", [batch, ...t.shape.slice(1)])));
  const added = b.input("bias", type("f32", bias.shape));
  const attributes = { heads, kv_heads, scale: 0.3, ...mask } as const;
  const y = b.emit("attention", { q: q!, k: k!, v: v!, bias: added }, attributes);
  const none = { has: () => false, read: () => bias };
  const module = { dims: new Map([["B", batch]]), graphs: [b.finish({ y })], weights: none };
  await expectAgreement(module, [...inputs, bias]);
});
