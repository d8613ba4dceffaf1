// The denoising view: what a terminal shows after each step.
import { expect, test } from "vitest";
import { liveView } from "../../src/cli/live.js";
import type { GenerationState } from "../../src/runtime/index.js";

function state(step: number, tokens: number[]): GenerationState {
  return {
    step,
    of: 2,
    done: step === 2,
    tokens: Int32Array.from(tokens),
    x: new Float32Array(),
    x0: new Float32Array(),
  };
}

function shown(columns: number, steps: number[][]): string[] {
  const frames: string[] = [];
  const view = liveView(
    steps[0]!.length,
    (token) => "abcdefgh"[token]!,
    (i) => i === 0,
    (text) => frames.push(text),
    columns,
  );
  for (const [i, tokens] of steps.entries()) view.show(state(i + 1, tokens));
  view.end();
  return frames;
}

test("given tokens are underlined, changed ones bright, and each frame replaces the last", () => {
  const [first, second, end] = shown(80, [
    [0, 1, 2],
    [0, 1, 3],
  ]);
  expect(first).toBe("\x1b[2mstep 1 of 2\x1b[0m\n\x1b[4ma\x1b[0mbc\n");
  expect(second).toBe(
    "\x1b[2A\x1b[2K\n\x1b[2K\n\x1b[2A\x1b[2mstep 2 of 2\x1b[0m\n\x1b[4ma\x1b[0mb\x1b[1;36md\x1b[0m\n",
  );
  expect(end).toBe("\x1b[2A\x1b[2K\n\x1b[2K\n\x1b[2A");
});

test("long texts wrap at the terminal's width", () => {
  const [first] = shown(4, [[1, 1, 1, 1, 1, 1, 1]]);
  expect(first!.split("\n").slice(1)).toEqual(["\x1b[4mb\x1b[0mbb", "bbb", "b", ""]);
});
