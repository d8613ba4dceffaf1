// The stage matrices of either form behind one name: what the `fft_matrix` op evaluates to.

import { packedForward, packedInverse } from "./packed-circular.js";
import { rightAngleForward, rightAngleInverse } from "./right-angle.js";
import type { Direction, MatrixStack, Transform } from "./transform.js";

/**
 * The matrices of the 0-based `stage`. The chain multiplies by stages 0..p-1 forward, by the spectrum, then
 * by stages p-1..0 inverse. `complexInput` is for the first forward stage over the signal of two-sided taps.
 */
export function stageMatrix(
  transform: Transform,
  stage: number,
  direction: Direction,
  complexInput = false,
): MatrixStack {
  if (transform.form === "right_angle")
    return direction === "forward"
      ? rightAngleForward(transform, stage, complexInput)
      : rightAngleInverse(transform, stage);
  return direction === "forward" ? packedForward(transform, stage) : packedInverse(transform, stage);
}
