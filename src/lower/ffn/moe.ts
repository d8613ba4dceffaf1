// Mixture of experts (Shazeer et al. 2017): y = shared(x) + sum_e w_e down_e(h_e). All experts are computed for all
// positions, as one gated network of width E hidden whose hidden units are multiplied by the weight of their expert:
// three matrix products, the sum over experts inside the last, and no [E, positions, width] anywhere. Experts that
// are not chosen have weight 0. That is E / top_k times the arithmetic of a kernel that gathers tokens by expert,
// and what fixed shapes allow on every target.

import type { FeedForward, MoeFeedForward } from "../../description/description.js";
import { type Dim, dim } from "../../ir/dim.js";
import type { Value } from "../../ir/graph.js";
import { child, type GraphContext, type Scope } from "../context.js";
import { activate, lastExtent, linear, normalize } from "../layers.js";

type LowerFeedForward = (c: GraphContext, scope: Scope, x: Value, ffn: FeedForward) => Value;

/** Below every score, which lies in 0 .. 1 but for its bias, and still a number in half precision. */
const lowest = -65504;

export function lowerMixture(
  c: GraphContext,
  scope: Scope,
  x: Value,
  moe: MoeFeedForward,
  lowerShared: LowerFeedForward,
): Value {
  return c.b.at(scope.pointer, () => {
    const weights = route(c, child(scope, "router", "/router"), x, moe);
    const read = normalize(c, child(scope, "norm", "/norm"), x, moe.norm);
    const y = experts(c, child(scope, "experts", "/expert"), read, weights, moe);
    if (moe.shared.kind === "none") return y;
    const shared = lowerShared(c, child(scope, "shared", "/shared"), x, moe.shared);
    return c.b.emit("add", { a: y, b: shared }, {}, "with_shared");
  });
}

/** The weight of every expert at every position, [.., E], 0 for those not chosen. */
function route(c: GraphContext, scope: Scope, x: Value, { router, experts, top_k }: MoeFeedForward): Value {
  const { b } = c;
  return b.at(scope.pointer, () => {
    const read = normalize(c, child(scope, "norm", "/norm"), x, router.norm);
    const product = linear(c, scope, read, experts, false);
    const scaled =
      router.input_scale === 1 ? product : b.emit("scale", { x: product }, { factor: router.input_scale });
    const logits = router.bias
      ? b.emit("add", { a: scaled, b: c.parameter(scope, "bias", [experts], "bias") }, {})
      : scaled;
    const axis = x.type.shape.length - 1;
    const scores =
      router.score === "softmax"
        ? b.emit("softmax", { x: logits }, { axis }, "scores")
        : b.emit("sigmoid", { x: logits }, {}, "scores");
    const ranked = router.expert_bias
      ? b.emit("add", { a: scores, b: c.parameter(scope, "expert_bias", [experts], "bias") }, {})
      : scores;
    const among = withinGroups(c, ranked, router.groups.count, router.groups.keep);
    const chosen = b.emit("top_mask", { x: among }, { axis, k: top_k }, "chosen");
    const kept = b.emit("where", { condition: chosen, a: scores, b: number(c, 0) }, {});
    const sum = b.emit("reduce_sum", { x: kept }, { axis, keepdims: true });
    const weights = router.normalize
      ? b.emit("div", { a: kept, b: b.emit("scale", { x: sum }, { offset: 1e-20 }) }, {})
      : kept;
    const factored = router.scale === 1 ? weights : b.emit("scale", { x: weights }, { factor: router.scale });
    if (!router.expert_scale) return factored;
    return b.emit("mul", { a: factored, b: c.parameter(scope, "expert_scale", [experts], "skip") }, {});
  });
}

/** The scores [.., E], the lowest number in groups other than the `keep` with the largest sum of their two best. */
function withinGroups(c: GraphContext, scores: Value, count: number, keep: number): Value {
  if (keep === count) return scores;
  const { b } = c;
  const lead = scores.type.shape.slice(0, -1);
  const axis = lead.length;
  const size = lastExtent(scores) / count;
  const shaped = (x: Value, ...last: number[]): Value =>
    b.emit("reshape", { x }, { shape: [...lead, ...last.map(dim)] as Dim[] });
  const grouped = shaped(scores, count, size);
  const best = b.emit("top_mask", { x: grouped }, { axis: axis + 1, k: Math.min(2, size) });
  const two = b.emit("where", { condition: best, a: grouped, b: number(c, 0) }, {});
  const sums = b.emit("reduce_sum", { x: two }, { axis: axis + 1 }, "group_scores");
  const kept = b.emit("top_mask", { x: sums }, { axis, k: keep }, "groups");
  const among = { condition: shaped(kept, count, 1), a: grouped, b: number(c, lowest) };
  return shaped(b.emit("where", among, {}), count * size);
}

/** sum_e w_e down_e(activation(gate_e x) * up_e x). */
function experts(c: GraphContext, scope: Scope, x: Value, weights: Value, moe: MoeFeedForward): Value {
  const { b } = c;
  const { kind, hidden, activation } = moe.expert;
  return b.at(scope.pointer, () => {
    const layer = (name: string): Value => linear(c, child(scope, name), x, moe.experts * hidden, false);
    const up = layer("up");
    const units =
      kind === "dense"
        ? activate(c, up, activation)
        : b.emit("mul", { a: activate(c, layer("gate"), activation), b: up }, {});
    const lead = x.type.shape.slice(0, -1);
    const byExpert = b.emit("reshape", { x: units }, { shape: [...lead, dim(moe.experts), dim(hidden)] });
    const column = b.emit("reshape", { x: weights }, { shape: [...lead, dim(moe.experts), dim(1)] });
    const weighted = b.emit("mul", { a: byExpert, b: column }, {});
    const flat = b.emit("reshape", { x: weighted }, { shape: units.type.shape });
    return linear(c, child(scope, "down"), flat, lastExtent(x), false, "mixture");
  });
}

function number(c: GraphContext, value: number): Value {
  return c.b.emit("literal", {}, { values: [value], shape: [dim(1)] });
}
