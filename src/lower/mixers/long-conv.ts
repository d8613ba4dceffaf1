// Gated long convolutions: in_proj -> short_conv -> gates and long convolutions -> out_proj. How streams and gates meet
// is the gating's business (src/lower/gatings), how taps are made the filter's (src/lower/filters).

import type { LongConvMixer } from "../../description/description.js";
import { filteredWidth } from "../../description/widths.js";
import { type Dim, dim, product } from "../../ir/dim.js";
import type { Value } from "../../ir/graph.js";
import { lowerAdaptive } from "../adaptive/index.js";
import { child, type GraphContext, type Scope } from "../context.js";
import { lowerFilter } from "../filters/index.js";
import type { Taps } from "../filters/layout.js";
import { lowerGating, streamCount } from "../gatings/index.js";
import { activate, chunks, lastExtent, project } from "../layers.js";
import { depthwise } from "./short-conv.js";

export function lowerLongConv(c: GraphContext, scope: Scope, x: Value, mixer: LongConvMixer): Value {
  const { b } = c;
  const width = lastExtent(x);
  const inner = mixer.inner_factor * width;
  const count = streamCount(mixer.gating);
  const projected = project(
    c,
    child(scope, "in_proj", "/in_proj"),
    x,
    count * inner,
    mixer.in_proj,
    "streams",
  );
  const mixed =
    mixer.short_conv.kind === "none"
      ? projected
      : depthwise(c, child(scope, "short_conv", "/short_conv"), projected, mixer.short_conv);
  const streams = splitStreams(c, mixed, count, mixer.heads);
  const copies = mixer.head_filters === "shared" ? mixer.heads : 1;
  const source = (): Value => splitStreams(c, projected, count, mixer.heads)[count - 1]!;
  const convolve = (o: number, input: Value, ungated = input): Value => {
    const taps = lowerFilter(c, child(scope, `filters.${o}`, "/filter"), mixer.filter);
    const skip = skipTerm(c, scope, mixer, o, filteredWidth(mixer, width));
    const y = blockwise(c, mixer.blocks, input, (block) =>
      longConv(c, {
        k: { ...taps, k: repeated(c, taps.k, 1, copies) },
        x: block(input),
        skip: skip && repeated(c, skip, 0, copies),
        ungated: mixer.skip === "input" ? block(ungated) : undefined,
      }),
    );
    if (mixer.adaptive_filter.kind === "none") return y;
    const at = child(scope, `adaptive_filters.${o}`, "/adaptive_filter");
    const adapted = lowerAdaptive(c, at, { source: source(), v: input }, mixer.adaptive_filter);
    return b.emit("add", { a: y, b: adapted }, {});
  };
  let y = lowerGating({ c, scope, mixer, streams, convolve }, mixer.gating);
  if (mixer.conv_bias)
    y = b.emit("add", { a: y, b: c.parameter(scope, "conv_bias", [lastExtent(y)], "bias") }, {});
  if (mixer.residual_conv.kind !== "none") {
    const at = child(scope, "residual_conv", "/residual_conv");
    const skip = mixer.residual_conv.skip ? c.parameter(at, "skip", [width], "skip") : undefined;
    const parallel = longConv(c, {
      k: lowerFilter(c, child(at, "filter", "/filter"), mixer.residual_conv.filter),
      x,
      skip,
      ungated: undefined,
    });
    y = b.emit("add", { a: y, b: parallel }, {});
  }
  const at = child(scope, "out_proj", "/out_proj");
  return project(c, at, activate(c, y, mixer.activation), width, mixer.out_proj);
}

/** The streams of in_proj, f32[B, L, D] each: one after the other, or so within every head. */
function splitStreams(c: GraphContext, x: Value, count: number, heads: number): Value[] {
  if (count === 1) return [x];
  const inner = lastExtent(x) / count;
  if (heads === 1) return chunks(c, x, Array<number>(count).fill(inner));
  const { b } = c;
  const [batch, length] = x.type.shape as [Dim, Dim];
  const shape = [batch, length, dim(heads), dim(lastExtent(x) / heads)];
  const perHead = chunks(c, b.emit("reshape", { x }, { shape }), Array<number>(count).fill(inner / heads));
  return perHead.map((part) => b.emit("reshape", { x: part }, { shape: [batch, length, dim(inner)] }));
}

/** What `of` makes of [B blocks, L/blocks, D], as [B, L, D]; `block` brings a stream into that form. */
function blockwise(
  c: GraphContext,
  blocks: number,
  x: Value,
  of: (block: (stream: Value) => Value) => Value,
): Value {
  if (blocks === 1) return of((stream) => stream);
  const [batch] = x.type.shape as [Dim];
  const rows = product([batch, dim(blocks)]);
  const block = (stream: Value): Value =>
    c.b.emit(
      "reshape",
      { x: stream },
      { shape: [rows, dim(c.lowering.sequence / blocks), dim(lastExtent(stream))] },
    );
  return c.b.emit("reshape", { x: of(block) }, { shape: x.type.shape });
}

/** Copies one after the other along an axis. */
function repeated(c: GraphContext, x: Value, axis: number, copies: number): Value {
  return copies === 1 ? x : c.b.emit("concat", { xs: Array<Value>(copies).fill(x) }, { axis });
}

function skipTerm(
  c: GraphContext,
  scope: Scope,
  mixer: LongConvMixer,
  o: number,
  width: number,
): Value | undefined {
  return mixer.skip === "none" ? undefined : c.parameter(scope, `skip.${o}`, [width], "skip");
}

interface Convolution {
  readonly k: Taps;
  readonly x: Value;
  readonly skip: Value | undefined;
  /** Set when the skip term multiplies the stream before its gate instead of the convolution's input. */
  readonly ungated: Value | undefined;
}

function longConv(c: GraphContext, { k: { k, ...lags }, x, skip, ungated }: Convolution): Value {
  const inside =
    ungated === undefined || ungated === x ? skip && stretched(c, skip, lastExtent(x)) : undefined;
  const { k: used, lag0 } = within(c, k, lags.lag0, x.type.shape[1]!.value!);
  const y = c.b.emit("long_conv", { x, k: used, skip: inside }, { ...lags, lag0 }, "convolved");
  if (skip === undefined || inside !== undefined) return y;
  return c.b.emit("add", { a: y, b: c.b.emit("mul", { a: ungated!, b: skip }, {}) }, {});
}

/** A factor per filter as a factor per channel: [n] to [width], each width/n times in a row. */
function stretched(c: GraphContext, x: Value, width: number): Value {
  const n = lastExtent(x);
  if (n === width) return x;
  const column = c.b.emit("reshape", { x }, { shape: [dim(n), dim(1)] });
  const rows = c.b.emit("broadcast", { x: column }, { shape: [dim(n), dim(width / n)] });
  return c.b.emit("reshape", { x: rows }, { shape: [dim(width)] });
}

/** Taps of lags that a line of `length` positions has; a block is shorter than the sequence its filter was made for. */
function within(c: GraphContext, k: Value, lag0: number, length: number): { k: Value; lag0: number } {
  const taps = k.type.shape[0]!.value!;
  const start = Math.max(0, lag0 - (length - 1));
  const stop = Math.min(taps, lag0 + length);
  if (start === 0 && stop === taps) return { k, lag0 };
  const cut = c.b.emit("slice", { x: k }, { axis: 0, start: dim(start), length: dim(stop - start) });
  return { k: cut, lag0: lag0 - start };
}
