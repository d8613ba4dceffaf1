// Chooses how to compute a long convolution: lists the lowerings that are exact for it, prices and ranks
// them.

import {
  type ConvolutionRequest,
  type Cost,
  depthwiseCost,
  dftCost,
  leastPoints,
  toeplitzCost,
  transformCost,
} from "./cost.js";
import { visitFactorisations } from "./factor.js";
import type { Profile } from "./profiles.js";
import { type Form, points, samples, type Transform, transformFor } from "./transform.js";

export type Lowering = Form | "depthwise" | "toeplitz" | "dft";

/** One way to compute the convolution. */
export interface Candidate extends Cost {
  readonly lowering: Lowering;
  /** Of the chain of products; absent for the other lowerings. */
  readonly transform?: Transform;
  /** Groups of channels computed one after another. */
  readonly blocks: number;
  /** Samples added to reach the transform's length, and sliced off again. */
  readonly padding: number;
}

export interface Plan {
  readonly request: ConvolutionRequest;
  readonly profile: Profile;
  readonly chosen: Candidate;
  /**
   * The best of every lowering, order and number of blocks, cheapest first; `dft` is listed but never chosen.
   */
  readonly candidates: readonly Candidate[];
}

/** Lengths up to this much above the least one are searched. */
const slack = 1.12;

/** Factorisations of each order that are also priced in blocks of channels. */
const shortlist = 8;

/**
 * Of chains whose predictions differ by less than this, the one in most blocks is taken: every timing of
 * large lines had its best in blocks of 64k to 131k elements, where the model still sees a tie.
 */
const tie = 1.05;
const leastBlock = 1 << 16;

const remembered = new WeakMap<Profile, Map<string, Plan>>();

/**
 * Prices every lowering of the convolution on the machine and ranks them. Equal requests give the same plan.
 */
export function planConvolution(request: ConvolutionRequest, profile: Profile): Plan {
  const plans = remembered.get(profile) ?? new Map<string, Plan>();
  remembered.set(profile, plans);
  const { length, channels, groups, minLag, maxLag, circular, batch } = request;
  const key = JSON.stringify([length, channels, groups, minLag, maxLag, circular, batch]);
  const plan = plans.get(key) ?? makePlan(request, profile);
  plans.set(key, plan);
  return plan;
}

function makePlan(request: ConvolutionRequest, profile: Profile): Plan {
  const transforms = [
    ...transformCandidates(request, "right_angle", profile),
    ...transformCandidates(request, "packed_circular", profile),
  ];
  const candidates: Candidate[] = [...transforms];
  if (!request.circular)
    candidates.push({
      lowering: "depthwise",
      blocks: 1,
      padding: 0,
      ...depthwiseCost(request, profile),
    });
  if (request.groups < request.channels || request.channels === 1)
    candidates.push({ lowering: "toeplitz", blocks: 1, padding: 0, ...toeplitzCost(request, profile) });
  candidates.sort((a, b) => a.seconds - b.seconds);
  const cheapest = candidates[0]!;
  const chosen = candidates
    .filter((c) => c.lowering === cheapest.lowering && c.seconds <= tie * cheapest.seconds)
    .reduce((a, b) => (b.blocks > a.blocks ? b : a));
  const rightAngle = transforms.reduce((a, b) => (a.seconds <= b.seconds ? a : b));
  candidates.push({ lowering: "dft", blocks: 1, padding: 0, ...dftCost(request, rightAngle, profile) });
  candidates.sort((a, b) => a.seconds - b.seconds);
  return { request, profile, chosen, candidates };
}

/** The best transform of each order and number of blocks. */
function transformCandidates(request: ConvolutionRequest, form: Form, profile: Profile): Candidate[] {
  const least = leastPoints(request, form);
  const isExact = form === "packed_circular" && request.circular;
  // Packed lines of nearly 2L points do what L points at a right angle do.
  if (form === "packed_circular" && least > 1.8 * request.length) return [];
  const limits = { factors: profile.factors, orders: profile.orders, evenFirst: form === "packed_circular" };
  const price = (transform: Transform, blocks: number): Candidate => {
    const padding = samples(transform) - request.length;
    return {
      lowering: form,
      transform,
      blocks,
      padding,
      ...transformCost(request, transform, blocks, profile),
    };
  };
  const scaling = profile.precision === "f16" ? "each" : "last";
  const whole: Candidate[][] = [];
  // Widen the range until some length has a factorisation: small and prime lengths may have none nearby.
  for (let most = isExact ? least : Math.ceil(slack * least); whole.length === 0; most *= 2) {
    visitFactorisations({ ...limits, least, most }, (factors) => {
      const best = (whole[factors.length] ??= []);
      insert(best, price(transformFor(form, factors, request.length, scaling), 1));
    });
    if (isExact) break;
  }
  const elements = request.batch * request.length * request.channels;
  const splits = profile.blocks.filter(
    (n) =>
      elements / n >= leastBlock &&
      request.channels % n === 0 &&
      request.channels / n >= 32 &&
      (request.groups === 1 || request.groups % n === 0),
  );
  return whole.flatMap((best) => [
    best[0]!,
    ...splits
      .filter((n) => n > 1)
      .map((n) => best.map((c) => price(c.transform!, n)).reduce((a, b) => (a.seconds <= b.seconds ? a : b))),
  ]);
}

/** Keeps the cheapest few, in order. */
function insert(best: Candidate[], candidate: Candidate): void {
  if (best.length === shortlist && best[shortlist - 1]!.seconds <= candidate.seconds) return;
  const at = best.findIndex((other) => other.seconds > candidate.seconds);
  best.splice(at < 0 ? best.length : at, 0, candidate);
  best.length = Math.min(best.length, shortlist);
}

/** `16x8x8` or the lowering's name, with blocks: how reports name a candidate. */
export function candidateName({ lowering, transform, blocks }: Candidate): string {
  const name = transform === undefined ? lowering : `${lowering} ${transform.factors.join("x")}`;
  return blocks === 1 ? name : `${name}, ${blocks} blocks`;
}

/** The length of the transform, where there is one. */
export function candidatePoints({ transform }: Candidate): number | undefined {
  return transform === undefined ? undefined : points(transform);
}
