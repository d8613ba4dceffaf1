// Layout transforms against numbers written out by hand.

import { expect, test } from "vitest";
import {
  applyTransforms,
  planTransforms,
  type Transform,
  type Values,
} from "../../src/weights/transforms.js";

function values(shape: readonly number[], ...data: readonly number[]): Values {
  return { shape, data: Float64Array.from(data) };
}

const matrix = values([2, 3], 1, 2, 3, 4, 5, 6);
const cube = values([2, 2, 2], 1, 2, 3, 4, 5, 6, 7, 8);

interface Case {
  readonly what: string;
  readonly from: readonly Values[];
  readonly transforms: readonly Transform[];
  readonly result: Values;
}

const cases: readonly Case[] = [
  { what: "nothing", from: [matrix], transforms: [], result: matrix },
  {
    what: "transpose by default",
    from: [matrix],
    transforms: [{ kind: "transpose" }],
    result: values([3, 2], 1, 4, 2, 5, 3, 6),
  },
  {
    what: "zeros behind the last axis",
    from: [matrix],
    transforms: [{ kind: "pad", axis: 1, to: 5 }],
    result: values([2, 5], 1, 2, 3, 0, 0, 4, 5, 6, 0, 0),
  },
  {
    what: "zeros behind the middle axis",
    from: [cube],
    transforms: [{ kind: "pad", axis: 1, to: 3 }],
    result: values([2, 3, 2], 1, 2, 3, 4, 0, 0, 5, 6, 7, 8, 0, 0),
  },
  // result[i, j, k] = cube[j, k, i]
  {
    what: "rotate three axes",
    from: [cube],
    transforms: [{ kind: "transpose", axes: [2, 0, 1] }],
    result: values([2, 2, 2], 1, 3, 5, 7, 2, 4, 6, 8),
  },
  {
    what: "reshape with a free extent",
    from: [matrix],
    transforms: [{ kind: "reshape", shape: [3, -1] }],
    result: values([3, 2], 1, 2, 3, 4, 5, 6),
  },
  {
    what: "squeeze a depthwise kernel",
    from: [values([2, 1, 3], 1, 2, 3, 4, 5, 6)],
    transforms: [{ kind: "squeeze", axes: [1] }],
    result: matrix,
  },
  {
    what: "slice rows",
    from: [matrix],
    transforms: [{ kind: "slice", start: 1, stop: 2 }],
    result: values([1, 3], 4, 5, 6),
  },
  {
    what: "slice columns",
    from: [matrix],
    transforms: [{ kind: "slice", axis: 1, start: 1, stop: 3 }],
    result: values([2, 2], 2, 3, 5, 6),
  },
  {
    what: "slice the middle axis",
    from: [cube],
    transforms: [{ kind: "slice", axis: 1, start: 1, stop: 2 }],
    result: values([2, 1, 2], 3, 4, 7, 8),
  },
  {
    what: "concat rows",
    from: [matrix, values([1, 3], 7, 8, 9)],
    transforms: [{ kind: "concat" }],
    result: values([3, 3], 1, 2, 3, 4, 5, 6, 7, 8, 9),
  },
  {
    what: "concat columns",
    from: [matrix, values([2, 1], 7, 8)],
    transforms: [{ kind: "concat", axis: 1 }],
    result: values([2, 4], 1, 2, 3, 7, 4, 5, 6, 8),
  },
  { what: "concat of one", from: [matrix], transforms: [{ kind: "concat" }], result: matrix },
  {
    // Rows per head interleaved as (head, qkv, row): h0q h0k h0v h1q h1k h1v become q0 q1 k0 k1 v0 v1.
    what: "an interleaved qkv in order",
    from: [values([6, 1], 10, 20, 30, 11, 21, 31)],
    transforms: [
      { kind: "reshape", shape: [2, 3, 1] },
      { kind: "transpose", axes: [1, 0, 2] },
      { kind: "reshape", shape: [6, 1] },
    ],
    result: values([6, 1], 10, 11, 20, 21, 30, 31),
  },
  {
    what: "an empty tensor",
    from: [values([0, 2])],
    transforms: [{ kind: "transpose" }],
    result: values([2, 0]),
  },
];

test.each(cases)("$what", ({ from, transforms, result }) => {
  expect(
    planTransforms(
      from.map((tensor) => tensor.shape),
      transforms,
    ),
  ).toEqual({ shape: result.shape });
  expect(applyTransforms(from, transforms)).toEqual(result);
});

const impossible: readonly (readonly [
  shapes: readonly (readonly number[])[],
  transforms: readonly Transform[],
  problem: RegExp,
  index: number,
])[] = [
  [[[2, 3, 4]], [{ kind: "transpose" }], /axes \[1, 0\] do not name each of the 3 axes of \[2, 3, 4\]/, 0],
  [[[2, 3]], [{ kind: "transpose", axes: [1, 1] }], /once/, 0],
  [[[2, 3]], [{ kind: "transpose", axes: [0, 2] }], /once/, 0],
  [
    [[2, 3]],
    [{ kind: "transpose" }, { kind: "reshape", shape: [4] }],
    /\[3, 2\] has 6 elements, \[4\] has not/,
    1,
  ],
  [[[2, 3]], [{ kind: "reshape", shape: [4, -1] }], /6 elements/, 0],
  [[[2, 3]], [{ kind: "reshape", shape: [-1, -1] }], /6 elements/, 0],
  [[[2, 3]], [{ kind: "reshape", shape: [0, -1] }], /6 elements/, 0],
  [[[2, 3]], [{ kind: "squeeze", axes: [1] }], /axis 1 of \[2, 3\] has extent 3/, 0],
  [[[2, 3]], [{ kind: "pad", axis: 1, to: 2 }], /axis 1 of \[2, 3\] has more than 2 elements already/, 0],
  [[[2]], [{ kind: "squeeze", axes: [1] }], /\[2\] has no axis 1/, 0],
  [
    [[2, 3]],
    [{ kind: "slice", axis: 1, start: 2, stop: 4 }],
    /elements 2 to 4 are not a part of axis 1 of \[2, 3\]/,
    0,
  ],
  [[[2, 3]], [{ kind: "slice", start: 1, stop: 1 }], /elements 1 to 1/, 0],
  [[[2, 3]], [{ kind: "slice", axis: 2, start: 0, stop: 1 }], /no axis 2/, 0],
  [
    [
      [2, 3],
      [2, 4],
    ],
    [{ kind: "concat" }],
    /\[2, 3\] and \[2, 4\] differ/,
    0,
  ],
  [[[2, 3], [3]], [{ kind: "concat" }], /\[2, 3\] and \[3\] differ/, 0],
  [[[2, 3], [3]], [{ kind: "concat", axis: 1 }], /\[2, 3\] and \[3\] differ/, 0],
  [
    [
      [2, 3],
      [2, 3],
    ],
    [{ kind: "transpose" }],
    /2 tensors need `concat`/,
    0,
  ],
  [
    [
      [2, 3],
      [2, 3],
    ],
    [],
    /2 tensors need `concat`/,
    0,
  ],
];

test.each(impossible)("%j through %j is impossible", (shapes, transforms, problem, index) => {
  expect(planTransforms(shapes, transforms)).toEqual({ problem: expect.stringMatching(problem), index });
});
