// Attention with keys that are hidden on ONNX Runtime: of one row two of five are there, of the other none.
import { test } from "vitest";
import { tensor } from "../../src/ir/tensor.js";
import { moduleOf } from "./op-case.js";
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
