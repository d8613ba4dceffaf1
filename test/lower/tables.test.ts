// Tables that follow from the tokens' numbers, against those numbers.
import { expect, test } from "vitest";
import { evaluate } from "../../src/ir/evaluate.js";
import { tensor } from "../../src/ir/tensor.js";
import { loaded } from "./loaded.js";

function load(vocabulary: number, dim: number, scale: number) {
  const description = {
    state_space: { kind: "continuous_embedding", vocab_size: vocabulary, seq_len: vocabulary },
    embedding: { dim, scale, table: { kind: "bits" } },
    noise_schedule: { family: "cosine", discretization: { kind: "continuous" } },
    timesteps: { kind: "linspace", from: 0.9, to: 0.1, num_steps: 4 },
    time_conditioning: { injection: "none" },
    blocks: { mixer: { kind: "fnet" }, ffn: { kind: "none" } },
    rounding_head: { kind: "l2_nearest" },
  };
  return loaded(description, 5);
}

test.each([
  [2, 1, 1],
  [5, 3, 1],
  [8, 3, 0.5],
  [13, 6, 2],
])("%i tokens in %i bits of size %d are their binary digits, and signs read them back", (n, dim, scale) => {
  const { module, parameters } = load(n, dim, scale);
  expect(parameters.map(({ name }) => name)).not.toContain("embedding.table");
  const all = Float64Array.from({ length: n }, (_, v) => v);
  const rows = evaluate(module, "embed", [tensor("i32", [1, n], all)])[0]!;
  const digits = [...all].map((v) =>
    v
      .toString(2)
      .padStart(dim, "0")
      .split("")
      .reverse()
      .map((digit) => (digit === "1" ? scale : -scale)),
  );
  expect([...rows.data]).toEqual(digits.flat());

  // Noise that changes no sign changes no token.
  const noisy = rows.data.map((x, i) => x * (0.2 + 2 * Math.abs(Math.sin(i))));
  const [, tokens] = evaluate(module, "round", [tensor("f32", [1, n, dim], noisy)]);
  expect([...tokens!.data]).toEqual([...all]);
});
