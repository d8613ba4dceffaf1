// Sizes that follow from a description, in one place.

import type { Block, Decoder, Description, Mixer, ModelDescription } from "./description.js";

/** A description that says which tokens there are, as far as it does. */
type WithTokens = Pick<ModelDescription, "state_space" | "decoder">;

/** Number of tokens V; 0 of latents that nothing decodes. */
export function vocabularySize({ state_space: state, decoder }: WithTokens): number {
  return decoder?.vocab_size ?? ("vocab_size" in state ? state.vocab_size : 0);
}

/** What the width of a decoder's blocks follows from. */
interface Decoding {
  readonly in_proj?: readonly { readonly out: number }[];
  readonly queries?: { readonly kind: string; readonly dim?: number };
}

/** Width of a decoder's blocks: of its queries, or of the latents behind its in_proj. */
export function decoderWidth({ in_proj, queries }: Decoding, latents: number): number {
  return queries?.dim ?? in_proj?.at(-1)?.out ?? latents;
}

/** Number of tokens that a decoder of `latents` latents gives. */
export function decodedLength({ queries }: Decoder, latents: number): number {
  return queries.kind === "learned" ? queries.length : latents;
}

/** Width of the trunk: what `embedding.in_proj` ends in, or the embedding's own. */
export function trunkWidth(embedding: {
  readonly dim: number;
  readonly in_proj?: readonly { readonly out: number }[];
}): number {
  return embedding.in_proj?.at(-1)?.out ?? embedding.dim;
}

/** Width of what the rounding head reads with softmax_embedding, and of x0 with direct: the output layer's. */
export function outputWidth(description: ModelDescription): number {
  return description.prediction_type.out_proj.at(-1)?.out ?? trunkWidth(description.embedding);
}

/** What the number of distinct filters and skip factors of a long convolution follows from. */
interface Convolved {
  readonly channels?: number;
  readonly inner_factor?: number;
  readonly heads?: number;
  readonly head_filters?: "own" | "shared";
  readonly channel_mixing?: "depthwise" | "dense";
  readonly gating?: { readonly kind: string; readonly head_dim?: number };
}

/** Width that the filters of a long convolution are for: each has its own taps by default, and its own skip factor. */
export function filteredWidth(mixer: Convolved, width: number): number {
  const { channels = 1, inner_factor: factor = 1, heads = 1, head_filters: filters, gating } = mixer;
  const sharing = (gating?.head_dim ?? 1) * (filters === "shared" ? heads : 1);
  const inputs = mixer.channel_mixing === "dense" ? factor * width : 1;
  // Heads that a rule refuses must not give a fraction.
  return Math.max(1, Math.floor((channels * factor * width * inputs) / sharing));
}

/** What the width of a mixer's output follows from. */
type Mixing =
  | { readonly kind: "linear"; readonly out?: number }
  | { readonly kind: "chain"; readonly mixers: readonly Mixing[] }
  | {
      readonly kind: "parallel";
      readonly combine?: string;
      readonly branches: readonly Mixing[];
      readonly out_proj?: { readonly kind: string };
    }
  | { readonly kind: Exclude<Mixer["kind"], "linear" | "chain" | "parallel"> };

/** Width of what a mixer makes of `width` channels: its own but in parts of chains and parallel mixers. */
export function mixedWidth(mixer: Mixing, width: number): number {
  switch (mixer.kind) {
    case "linear":
      return mixer.out ?? width;
    case "chain":
      return mixer.mixers.reduce((found, part) => mixedWidth(part, found), width);
    case "parallel": {
      if ((mixer.out_proj?.kind ?? "none") !== "none") return width;
      const widths = mixer.branches.map((branch) => mixedWidth(branch, width));
      return mixer.combine === "concat" ? widths.reduce((sum, found) => sum + found, 0) : widths[0]!;
    }
    default:
      return width;
  }
}

/** The mixers that a mixer is made of: those inside chains and parallel mixers, or itself. */
export function innermost(mixer: Mixer, pointer: string): [mixer: Mixer, pointer: string][] {
  if (mixer.kind === "chain")
    return mixer.mixers.flatMap((part, k) => innermost(part, `${pointer}/mixers/${k}`));
  if (mixer.kind === "parallel")
    return mixer.branches.flatMap((part, k) => innermost(part, `${pointer}/branches/${k}`));
  return [[mixer, pointer]];
}

/** Number of filters of a spectral basis that are used as they are; undefined where a mixture makes others of them. */
export function unmixedFilters({
  filters = 24,
  negative,
  mix,
}: {
  readonly filters?: number;
  readonly negative?: string;
  readonly mix?: string;
}): number | undefined {
  return mix === "none" ? filters * (negative === "append" ? 2 : 1) : undefined;
}

/** Width of what the matrix of a linear head multiplies. */
export function headWidth(description: ModelDescription): number {
  const { rounding_head: head } = description;
  if (head.kind !== "linear") return outputWidth(description);
  const read = head.reads === "trunk" ? trunkWidth(description.embedding) : outputWidth(description);
  return head.layers.at(-1)?.out ?? read;
}

/** A conditioning with features, as far as their width goes. */
type TimeFeatures =
  | { readonly injection: "none" }
  | {
      readonly injection: "additive" | "ada_ln" | "prefix_tokens";
      readonly mlp: { readonly dims: readonly number[] };
      readonly features: { readonly kind: string; readonly dim?: number };
    };

/** Width of the time features that the injection reads; 0 without time conditioning. */
export function timeWidth(time: TimeFeatures): number {
  return time.injection === "none" ? 0 : (time.mlp.dims.at(-1) ?? time.features.dim ?? 1);
}

/** Sequence length of a description that has one. */
export function sequenceLength(description: Description): number | undefined {
  if (description.part === "mixer" || description.part === "block") return description.seq_len;
  return description.part === "noise_schedule" ? undefined : description.state_space.seq_len;
}

/** A block of the trunk, and where it is described. */
export interface PlacedBlock {
  /** i of its parameters blocks.{i}.*. */
  readonly index: number;
  readonly block: Block;
  /** JSON pointer of the block's object; repeated blocks share one. */
  readonly pointer: string;
}

/** The blocks of a model or a decoder in order, repetitions unrolled. */
export function listBlocks({ blocks }: Pick<ModelDescription, "blocks">, at = "/blocks"): PlacedBlock[] {
  const runs = describedBlocks(blocks, at).flatMap((placed) =>
    Array.from({ length: placed.block.repeat }, () => placed),
  );
  const times = "pattern" in blocks ? blocks.repeat : 1;
  return Array.from({ length: times }, () => runs)
    .flat()
    .map(({ block, pointer }, index) => ({ index, block, pointer }));
}

/** The blocks of a model or a decoder as described, each once. */
export function describedBlocks(
  blocks: ModelDescription["blocks"],
  at = "/blocks",
): Omit<PlacedBlock, "index">[] {
  if ("pattern" in blocks)
    return blocks.pattern.map((block, i) => ({ block, pointer: `${at}/pattern/${i}` }));
  if ("mixer" in blocks) return [{ block: blocks, pointer: at }];
  return blocks.map((block, i) => ({ block, pointer: `${at}/${i}` }));
}

/** The blocks of a description's decoder as described, each once. */
export function decoderBlocks(description: Description): Omit<PlacedBlock, "index">[] {
  const decoder = description.part === "model" ? description.decoder : undefined;
  return decoder === undefined ? [] : describedBlocks(decoder.blocks, "/decoder/blocks");
}

/** The block of the part `block` as a list of one, or the blocks of a model. */
export function placedBlocks(description: Description): Omit<PlacedBlock, "index">[] {
  if (description.part === "block") return [{ block: description.block, pointer: "/block" }];
  return description.part === "model" ? describedBlocks(description.blocks) : [];
}
