// The list of gatings. To add one: a schema fragment, a file here, a line here.

import type { Value } from "../../ir/graph.js";
import type { Gating, GatingLowering, GatingParts } from "./gating.js";
import { hyena } from "./hyena.js";
import { ungated } from "./none.js";
import { outerProduct } from "./outer-product.js";
import { post } from "./post.js";
import { prePost } from "./pre-post.js";

type Lowerings = {
  readonly [K in Gating["kind"]]: GatingLowering<Extract<Gating, { kind: K }>>;
};

const gatings: Lowerings = {
  none: ungated,
  pre_post: prePost,
  post,
  hyena,
  outer_product: outerProduct,
};

/** The table is typed per kind; indexing by a union forgets which. */
function lowering(gating: Gating): GatingLowering<Gating> {
  return gatings[gating.kind] as GatingLowering<Gating>;
}

/** Streams that in_proj makes. */
export function streamCount(gating: Gating): number {
  return lowering(gating).streams(gating);
}

/** The convolutions of the streams and their gates. */
export function lowerGating(parts: GatingParts, gating: Gating): Value {
  return lowering(gating).lower(parts, gating);
}
