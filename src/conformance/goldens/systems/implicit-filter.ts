// The implicit filters of Hyena and M2-BERT: sizes from the shapes of the weights, and the map from canonical
// names to upstream's. Upstream's nn.Sequential interleaves layers and sines: layer k is entry 2k.

import {
  countWeights,
  flagOption,
  type GoldenCase,
  numberOption,
  objectOf,
  weightShape,
} from "../golden-case.js";

type Source = string | { readonly from: string; readonly transforms: readonly object[] };
export type WeightMap = Readonly<Record<string, Source>>;

/** Rows [start, stop) of upstream's output channels, for filters that share one network. */
interface Channels {
  readonly start: number;
  readonly stop: number;
}

function squeezed(from: string, axes: readonly number[]): Source {
  return { from, transforms: [{ kind: "squeeze", axes }] };
}

/** A tensor with extents of 1 dropped and, for one filter of several, its channels cut out. */
export function vector(from: string, axes: readonly number[], channels?: Channels): Source {
  const squeeze = axes.length > 0 ? [{ kind: "squeeze", axes }] : [];
  const slice = channels === undefined ? [] : [{ kind: "slice", ...channels }];
  const transforms = [...squeeze, ...slice];
  return transforms.length === 0 ? from : { from, transforms };
}

/** Number of linear layers of `<prefix>.implicit_filter`, which stand at even entries. */
function layerCount(golden: GoldenCase, prefix: string): number {
  let n = 0;
  while (weightShape(golden, `${prefix}.implicit_filter.${2 * n}.weight`) !== undefined) n++;
  return n;
}

/** The filter's description; `span` and what belongs to it is the caller's. */
export function filterDescription(golden: GoldenCase, prefix: string): Record<string, unknown> {
  const features = weightShape(golden, `${prefix}.pos_emb.z`) ?? [];
  const [width] = weightShape(golden, `${prefix}.implicit_filter.0.weight`) ?? [];
  const trained = weightShape(golden, `${prefix}.implicit_filter.1.freq`) !== undefined;
  const modulus = numberOption(golden, "hyena_w_mod", "w_mod") ?? 1;
  const shift = numberOption(golden, "shift") ?? 0;
  return {
    kind: "implicit_mlp",
    features: "stored",
    length: features[1],
    emb_dim: features[2],
    width,
    depth: layerCount(golden, prefix) - 2,
    // Frequencies that are not trained are no tensor of the checkpoint: they all are w.
    ...(trained
      ? { omega: modulus }
      : { frequency: "fixed", omega: modulus * (numberOption(golden, "hyena_w", "w") ?? 10) }),
    // safari's standalone file takes `normalized` and does not use it.
    ...(flagOption(golden, "normalized") === true && !standalone(golden) && { normalize: "channels" }),
    window:
      flagOption(golden, "modulate") === false ? { kind: "none" } : { kind: "exponential_decay", shift },
  };
}

function standalone({ facts }: GoldenCase): boolean {
  return /standalone/.test(String(objectOf(facts.upstream).path));
}

/**
 * Map entries of one filter under `canonical` ("filters.0"), its reverse twin included when it is stored, and
 * what is left over.
 */
export function filterWeights(
  golden: GoldenCase,
  canonical: string,
  prefix: string,
  channels?: Channels,
): { readonly map: WeightMap; readonly ignore: readonly string[] } {
  const layers = layerCount(golden, prefix);
  const last = layers - 1;
  const map: Record<string, Source> = {
    [`${canonical}.features`]: squeezed(`${prefix}.pos_emb.z`, [0]),
    [`${canonical}.times`]: squeezed(`${prefix}.pos_emb.t`, [0, 2]),
  };
  const ignore: string[] = [];
  if (flagOption(golden, "modulate") === false) ignore.push(`${prefix}.modulation.deltas`);
  else map[`${canonical}.deltas`] = vector(`${prefix}.modulation.deltas`, [0, 1], channels);
  if (weightShape(golden, `${prefix}.implicit_filter.1.freq`) !== undefined)
    map[`${canonical}.frequency`] = squeezed(`${prefix}.implicit_filter.1.freq`, [0]);
  for (const [twin, suffix] of [
    ["", ""],
    [".reverse", "_rev"],
  ]) {
    const stored = `${prefix}.implicit_filter${suffix}`;
    if (weightShape(golden, `${stored}.0.weight`) === undefined) continue;
    for (let k = 0; k < layers; k++) {
      const weight = `${stored}.${2 * k}.weight`;
      map[`${canonical}${twin}.mlp.${k}.weight`] = k === last ? vector(weight, [], channels) : weight;
      if (k !== last) map[`${canonical}${twin}.mlp.${k}.bias`] = `${stored}.${2 * k}.bias`;
    }
    // One frequency serves all layers and both directions; upstream's checkpoint lists it once per sine.
    for (let k = 0; k < last; k++) if (k > 0 || suffix !== "") ignore.push(`${stored}.${2 * k + 1}.freq`);
  }
  return { map, ignore };
}

/** Whether there is a second direction among the weights. */
export function hasReverse(golden: GoldenCase, prefix: string): boolean {
  return countWeights(golden, `${prefix}.implicit_filter_rev.`, ".weight") > 0;
}
