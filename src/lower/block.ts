// One block: the mixer branch, attention to an encoder where there is any, then the feed-forward branch, each with its
// normalisation and residual, the first and the last with adaLN modulation. Placement: pre x + f(norm(x)), post
// norm(x + f(x)), sandwich x + norm_out(f(norm(x))), res_post x + norm_out(f(x)), none x + f(x); f is scaled where the
// branch says so.

import type { Block, Branch } from "../description/description.js";
import type { PlacedBlock } from "../description/index.js";
import { dim } from "../ir/dim.js";
import type { Value } from "../ir/graph.js";
import { child, type GraphContext, type Scope } from "./context.js";
import { type Encoded, lowerCrossAttention } from "./encoder.js";
import { lowerFeedForward } from "./ffn/index.js";
import { lastExtent, linear, normalize } from "./layers.js";
import { lowerMixer } from "./mixers/index.js";
import { type Modulation, modulate, modulations, type Time } from "./time.js";

/** A trunk's blocks in their order, parameters `<name>blocks.{i}.*`. */
export function lowerBlocks(
  c: GraphContext,
  name: string,
  x: Value,
  blocks: readonly PlacedBlock[],
  { time, encoded, previous }: Entering,
): Value {
  const passed: Passed[] = [];
  return blocks.reduce((input, { index, block, pointer }) => {
    const scope: Scope = { name: `${name}blocks.${index}.`, pointer };
    const joined = longSkip(c, scope, block.long_skip, input, passed[blocks.length - 1 - index]);
    const output = lowerBlock(
      c,
      scope,
      withAdded(c, scope, joined, { time, previous }),
      block,
      time,
      encoded,
    );
    passed.push({ input, output });
    return output;
  }, x);
}

/** What blocks are told beside their input. */
interface Entering {
  readonly time: Time;
  readonly encoded?: Encoded | undefined;
  /** The previous prediction f32[B, L, d], where each block has a layer of it. */
  readonly previous?: Value | undefined;
}

/** x with the block's own layers of the noise level and of the previous prediction added, where it has them. */
function withAdded(c: GraphContext, scope: Scope, x: Value, { time, previous }: Entering): Value {
  const { b } = c;
  const width = lastExtent(x);
  const add = (h: Value, name: "time" | "self_conditioning", from: Value, bias: boolean): Value =>
    b.at(`/${name === "time" ? "time_conditioning" : name}`, () => {
      const layer = linear(c, { ...child(scope, name), pointer: scope.pointer }, from, width, bias);
      const shape = [layer.type.shape[0]!, dim(1), dim(width)];
      const row = name === "time" ? b.emit("reshape", { x: layer }, { shape }) : layer;
      return b.emit("add", { a: h, b: row }, {}, `${name}_added`);
    });
  const timed = time.kind === "blocks" ? add(x, "time", time.condition, true) : x;
  return previous === undefined ? timed : add(timed, "self_conditioning", previous, true);
}

/** What a block began with and what it gave. */
interface Passed {
  readonly input: Value;
  readonly output: Value;
}

/** A block's input x and what the block mirrored to it had: W [x; output] + b, or x + input. */
function longSkip(
  c: GraphContext,
  scope: Scope,
  kind: Block["long_skip"],
  x: Value,
  mirrored: Passed | undefined,
): Value {
  if (kind === "none" || mirrored === undefined) return x;
  const at = child(scope, "long_skip", "/long_skip");
  return c.b.at(at.pointer, () =>
    kind === "add_input"
      ? c.b.emit("add", { a: x, b: mirrored.input }, {}, "long_skip")
      : linear(
          c,
          at,
          c.b.emit("concat", { xs: [x, mirrored.output] }, { axis: 2 }),
          lastExtent(x),
          true,
          "long_skip",
        ),
  );
}

export function lowerBlock(
  c: GraphContext,
  scope: Scope,
  x: Value,
  block: Block,
  time: Time,
  encoded?: Encoded,
): Value {
  const [first, second] =
    time.kind === "ada_ln" ? modulationPair(c, scope, time, lastExtent(x)) : [undefined, undefined];
  const mixed = branch(c, { scope, norm: "norm1", scale: "mixer_scale" }, x, block.mixer_branch, first, (y) =>
    lowerMixer(c, child(scope, "mixer", "/mixer"), y, block.mixer),
  );
  const { cross_attention: cross } = block;
  const read =
    cross === undefined || encoded === undefined
      ? mixed
      : branch(
          c,
          { scope, norm: "norm_cross", scale: "cross_scale" },
          mixed,
          block.cross_branch,
          undefined,
          (y) => lowerCrossAttention(c, child(scope, "cross", "/cross_attention"), y, encoded, cross),
        );
  const out =
    block.ffn.kind === "none"
      ? read
      : branch(c, { scope, norm: "norm2", scale: "ffn_scale" }, read, block.ffn_branch, second, (y) =>
          lowerFeedForward(c, child(scope, "ffn", "/ffn"), y, block.ffn),
        );
  if (!block.layer_scalar) return out;
  return c.b.at(`${scope.pointer}/layer_scalar`, () =>
    c.b.emit("mul", { a: out, b: c.parameter(scope, "layer_scalar", [1], "skip") }, {}, "scaled_block"),
  );
}

/** What modulates the mixer's and the feed-forward branch. */
function modulationPair(
  c: GraphContext,
  scope: Scope,
  time: Extract<Time, { kind: "ada_ln" }>,
  width: number,
): [Modulated | undefined, Modulated | undefined] {
  const suffixes = { mixer: "1", ffn: "2" } as const;
  const parts = time.branches.map((branch) => ({ suffix: suffixes[branch], chunks: time.chunks }));
  const made = modulations(c, child(scope, "ada_ln"), time, width, parts);
  const of = (branch: "mixer" | "ffn"): Modulated | undefined => {
    const found = made[time.branches.indexOf(branch)];
    return found && { ...found, at: time.at };
  };
  return [of("mixer"), of("ffn")];
}

/** A modulation, and on which side of the branch it stands. */
interface Modulated extends Modulation {
  readonly at: "input" | "output";
}

/** Where a branch stands and what its parameters are called. */
interface BranchNames {
  readonly scope: Scope;
  readonly norm: "norm1" | "norm_cross" | "norm2";
  readonly scale: "mixer_scale" | "cross_scale" | "ffn_scale";
}

/** One branch; modulated: x + gate f(norm(x) (1 + scale) + shift), or x + gate (norm(f(..)) (1 + scale) + shift). */
function branch(
  c: GraphContext,
  names: BranchNames,
  x: Value,
  { placement, residual, norm, scale, layer_scale }: Branch,
  modulation: Modulated | undefined,
  f: (x: Value) => Value,
): Value {
  const { b } = c;
  const scope = child(names.scope, names.norm, "/norm");
  const inside = placement === "pre" || placement === "sandwich";
  const before = inside ? normalize(c, scope, x, norm) : x;
  const moved = (at: Modulated["at"], y: Value): Value =>
    modulation?.at === at ? modulate(c, y, modulation) : y;
  const inner = f(moved("input", before));
  const after =
    placement === "sandwich" || placement === "res_post"
      ? normalize(c, child(names.scope, `${names.norm}_out`, "/norm"), inner, norm)
      : inner;
  const out = moved("output", after);
  const gated = modulation?.gate === undefined ? out : b.emit("mul", { a: out, b: modulation.gate }, {});
  const byChannel =
    layer_scale === "channels"
      ? b.emit("mul", { a: gated, b: c.parameter(names.scope, names.scale, [lastExtent(x)], "skip") }, {})
      : gated;
  const scaled = scale === 1 ? byChannel : b.emit("scale", { x: byChannel }, { factor: scale });
  const sum = residual ? b.emit("add", { a: x, b: scaled }, {}, "residual") : scaled;
  return placement === "post" ? normalize(c, scope, sum, norm) : sum;
}
