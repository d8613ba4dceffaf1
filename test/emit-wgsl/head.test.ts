// The rounding head, fused: no logits in memory, online softmax, argmax; and the clamp to the nearest row.

import { afterAll, beforeAll, expect, test } from "vitest";
import { type Case, implementationOf, judgeCase, makeCase } from "./case.js";
import { type Device, mainDriver, openDevice } from "./device.js";

let device: Device | undefined;
beforeAll(async () => {
  device = await openDevice(mainDriver);
});
afterAll(() => device?.close());

async function expectAgreement(cases: readonly Case[]): Promise<void> {
  if (device === undefined) return;
  for (const each of cases) expect((await judgeCase(device, each)).problems, each.name).toEqual([]);
}

interface Sizes {
  readonly rows: readonly number[];
  readonly k: number;
  readonly vocabulary: number;
  readonly d: number;
}

const sizes: readonly Sizes[] = [
  { rows: [1, 1], k: 1, vocabulary: 1, d: 1 },
  { rows: [2, 7], k: 24, vocabulary: 10, d: 16 },
  { rows: [1, 31], k: 13, vocabulary: 97, d: 5 },
  { rows: [1, 17], k: 40, vocabulary: 1000, d: 72 },
];

const head = ({ rows, k, vocabulary, d }: Sizes, scale = 4): Case =>
  makeCase(`head ${rows} x ${k} of ${vocabulary} to ${d}`, (b, input) => {
    const logits = b.emit(
      "linear",
      {
        x: input("x", [...rows, k], { scale }),
        weight: input("weight", [vocabulary, k]),
        bias: input("bias", [vocabulary]),
      },
      {},
      "logits",
    );
    const probabilities = b.emit("softmax", { x: logits }, { axis: rows.length });
    return {
      x0: b.emit("matmul", { a: probabilities, b: input("table", [vocabulary, d]) }, {}),
      tokens: b.emit("argmax", { x: logits }, { axis: rows.length }),
    };
  });

test("softmax average and argmax at awkward sizes", async () => {
  await expectAgreement(sizes.map((s) => head(s)));
});

test("a vocabulary of 50257, with logits far apart", async () => {
  await expectAgreement([head({ rows: [1, 3], k: 8, vocabulary: 50257, d: 24 }, 40)]);
});

test("no buffer holds the logits", () => {
  const implementation = implementationOf(head({ rows: [1, 64], k: 8, vocabulary: 50257, d: 24 }));
  const largest = Math.max(...implementation.scratch.map((s) => s.length));
  expect(largest).toBeLessThan((64 * 50257) / 10);
});

test("argmax alone, with equal scores: the lowest token", async () => {
  await expectAgreement([
    makeCase("ties", (b, input) => ({
      tokens: b.emit(
        "argmax",
        {
          x: b.emit(
            "linear",
            { x: input("x", [1, 5, 4]), weight: input("weight", [300, 4], { data: Array(1200).fill(0.5) }) },
            {},
          ),
        },
        { axis: 2 },
      ),
    })),
  ]);
});

test("tied table, prior skip, and a sampler's step on the average", async () => {
  await expectAgreement(
    [
      { rows: [1, 9], k: 16, vocabulary: 77, d: 16 },
      { rows: [2, 5], k: 7, vocabulary: 70, d: 7 },
    ].map(({ rows, k, vocabulary, d }) =>
      makeCase(`step ${rows} of ${vocabulary}`, (b, input) => {
        const table = input("table", [vocabulary, d]);
        const x = input("state", [...rows, d]);
        const own = b.emit("linear", { x: input("x", [...rows, k]), weight: table }, {});
        const similarity = b.emit("linear", { x, weight: table }, {});
        const factor = input("prior_scale", [1, 1, 1]);
        const logits = b.emit(
          "add",
          { a: own, b: b.emit("mul", { a: similarity, b: factor }, {}) },
          {},
          "logits",
        );
        const x0 = b.emit("matmul", { a: b.emit("softmax", { x: logits }, { axis: 2 }), b: table }, {}, "x0");
        const coefficients = input("coefficients", [4], { data: [0.75, 0.25, 0, 0.5] });
        return {
          x_next: b.emit("affine_step", { x0, x, noise: input("noise", [...rows, d]), coefficients }, {}),
          x0,
          tokens: b.emit("argmax", { x: logits }, { axis: 2 }),
        };
      }),
    ),
  );
});

test.each([
  [1, 1, 1, 1],
  [2, 7, 24, 10],
  [1, 31, 13, 97],
  [1, 5, 16, 1000],
])("nearest row: %i x %i rows of %i among %i", async (batch, length, k, vocabulary) => {
  await expectAgreement([
    makeCase("nearest", (b, input) => ({
      y: b.emit(
        "nearest_row",
        { x: input("x", [batch, length, k]), table: input("table", [vocabulary, k]) },
        {},
      ),
    })),
  ]);
});
