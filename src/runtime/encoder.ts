// The output of an encoder that runs elsewhere, for models whose blocks attend to it: checked once per generation.

import { fail } from "../support/diagnostic.js";
import type { EncoderPort, EncoderRows, FloatArray } from "./step-runner.js";

/** What a caller gives. */
export interface EncoderInput {
  /** Row-major numbers of the shape. */
  readonly values: FloatArray;
  /** [S, dim] for every text alike, or [B, S, dim]; a model with a mask takes fewer positions than it was built for. */
  readonly shape: readonly number[];
  /** 1 where there is a position, [S] or [B, S]; all without it. */
  readonly mask?: Uint8Array;
}

/**
 * The input as the model takes it, or undefined where it takes none. Throws `generate/encoder-missing`,
 * `generate/encoder-unread`, `generate/encoder-size` and `generate/encoder-mask`.
 */
export function encoderRows(
  given: EncoderInput | undefined,
  port: EncoderPort | undefined,
  batch: number,
): EncoderRows | undefined {
  if (port === undefined) {
    if (given === undefined) return undefined;
    return fail("generate/encoder-unread", "an encoder's output is given, and this model reads none");
  }
  const { length, dim, mask: masked } = port;
  if (given === undefined)
    return fail(
      "generate/encoder-missing",
      `this model attends to an encoder's output, [${length}, ${dim}], and none is given`,
      { help: "give it as `encoder`: --encoder FILE, or { values, shape } in JavaScript" },
    );
  const { values, shape, mask } = given;
  const [rows, positions, width] = shape.length === 2 ? [1, ...shape] : shape;
  const fits =
    (shape.length === 2 || (shape.length === 3 && (rows === 1 || rows === batch))) &&
    width === dim &&
    positions! >= 1 &&
    (masked ? positions! <= length : positions === length) &&
    values.length === rows! * positions! * dim;
  if (!fits)
    return fail(
      "generate/encoder-size",
      `the encoder's output is [${shape}] with ${values.length} numbers; the model takes [${length}, ${dim}]`,
      { help: `give [S, ${dim}] or [${batch}, S, ${dim}], S ${masked ? "at most" : "being"} ${length}` },
    );
  return spread({ values, mask, rows: rows!, positions: positions! }, port, batch);
}

interface Fitting {
  readonly values: FloatArray;
  readonly mask: Uint8Array | undefined;
  readonly rows: number;
  readonly positions: number;
}

function spread(
  { values, mask, rows, positions }: Fitting,
  { length, dim, mask: masked }: EncoderPort,
  batch: number,
): EncoderRows {
  const wrong = (why: string): never =>
    fail("generate/encoder-mask", why, {
      help: `give ${positions} or ${rows * positions} entries, ${masked ? "a 1 in every row" : "all of them 1"}`,
    });
  if (mask !== undefined && mask.length !== positions && mask.length !== rows * positions)
    wrong(`the encoder's mask has ${mask.length} entries for ${rows} x ${positions} positions`);
  const out = { values: new Float64Array(batch * length * dim), mask: new Uint8Array(batch * length) };
  for (let b = 0; b < batch; b++) {
    const row = rows === 1 ? 0 : b;
    for (let s = 0; s < positions; s++) {
      const from = row * positions + s;
      if (mask !== undefined && mask[from % mask.length] === 0) continue;
      out.mask[b * length + s] = 1;
      out.values.set(values.subarray(from * dim, (from + 1) * dim), (b * length + s) * dim);
    }
    const seen = out.mask.subarray(b * length, (b + 1) * length);
    if (!seen.includes(1)) wrong(`the encoder's mask hides every position of row ${b}`);
    if (!masked && seen.includes(0)) wrong("this model takes no mask: every position of its encoder counts");
  }
  return out;
}

/** The encoder's output by the names of graph inputs. */
export function encoderValues(
  encoder: EncoderRows | undefined,
): Readonly<Record<string, FloatArray | Uint8Array>> {
  return encoder === undefined ? {} : { encoder: encoder.values, encoder_mask: encoder.mask };
}

/** For calls of a runner without an encoder that its graphs need. */
export function noEncoder(): never {
  return fail("generate/encoder-missing", "a graph attends to an encoder's output, and none is given", {
    help: "give `encoder` with every call",
  });
}
