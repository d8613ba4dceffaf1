// Defaults that depend on other fields. Each is the "x-derived" of its field in the schema.

import { deriveSampler, deriveSettling } from "./derive-sampler.js";
import type {
  AttentionMixer,
  Block,
  Blocks,
  Branch,
  ChainMixer,
  Conditioning,
  CrossAttention,
  Decoder,
  DescriptionFile,
  Embedding,
  FeedForward,
  Filter,
  LongConvMixer,
  Mixer,
  NoiseSchedule,
  OptionalNorm,
  Positions,
  PredictionType,
  TimeConditioning,
} from "./generated/input.js";
import { decoderWidth, filteredWidth, mixedWidth, trunkWidth, unmixedFilters } from "./widths.js";

/** Sizes that derived defaults refer to. */
interface Sizes {
  readonly width: number;
  readonly length: number;
}

/** The description with every derived default; fixed defaults must have been filled in already. */
export function derive(file: DescriptionFile): DescriptionFile {
  const sizes: Sizes = {
    width: file.width ?? (file.embedding === undefined ? 1 : trunkWidth(file.embedding)),
    length: file.seq_len ?? file.state_space?.seq_len ?? 1,
  };
  const { embedding, time_conditioning: time, prediction_type: prediction, sampler } = file;
  const out: { -readonly [K in keyof DescriptionFile]: DescriptionFile[K] } = { ...file };
  if (file.blocks !== undefined) out.blocks = deriveBlocks(file.blocks, sizes);
  if (file.block !== undefined) out.block = deriveBlock(file.block, sizes);
  if (file.mixer !== undefined) out.mixer = deriveMixer(file.mixer, sizes);
  if (embedding !== undefined) out.embedding = deriveEmbedding(embedding, sizes);
  if (time !== undefined) out.time_conditioning = deriveTime(time, file.noise_schedule, sizes);
  if (prediction !== undefined) out.prediction_type = derivePrediction(prediction, out.blocks);
  if (file.decoder !== undefined)
    out.decoder = deriveDecoder(file.decoder, embedding?.dim ?? 1, sizes.length);
  const { state_space: state } = file;
  if (state?.kind === "absorbing" || state?.kind === "hybrid")
    out.state_space = { mask_token_id: Math.max(0, state.vocab_size - 1), ...state };
  if (state?.kind === "matrix" && state.transition.kind === "nearest")
    out.state_space = { ...state, transition: { dim: embedding?.dim ?? 1, ...state.transition } };
  if (file.conditioning !== undefined)
    out.conditioning = deriveConditioning(file.conditioning, out.time_conditioning, sizes);
  if (state !== undefined) {
    out.sampler = deriveSampler(sampler, state, prediction);
    const tokens = state.kind !== "latent" || file.decoder !== undefined;
    out.rounding_head ??= { kind: tokens ? "linear" : "none" };
    out.conditioning ??= { kind: state.kind === "latent" ? "none" : "fixed_positions" };
  }
  if (out.sampler !== undefined && out.blocks !== undefined)
    out.sampler = deriveSettling(out.sampler, out.blocks);
  return out;
}

function deriveConditioning(
  conditioning: Conditioning,
  time: TimeConditioning | undefined,
  { width }: Sizes,
): Conditioning {
  const { class: label } = conditioning;
  if (label === undefined) return conditioning;
  const { injection = (time?.injection ?? "none") === "none" ? "positions" : "time", layers = [] } = label;
  const told = time === undefined || time.injection === "none" ? undefined : time.mlp?.dims?.at(-1);
  const dim = injection === "positions" || layers.length > 0 ? width : (told ?? width);
  return { ...conditioning, class: { dim, ...label, injection } };
}

function deriveEmbedding(embedding: Embedding, { width, length }: Sizes): Embedding {
  const { positions, prefix = [] } = embedding;
  return {
    data_std:
      (embedding.scale ?? 1) * (embedding.normalization === "unit" ? 1 / Math.sqrt(embedding.dim) : 1),
    ...embedding,
    ...(positions && { positions: derivePositions(positions, length) }),
    prefix: prefix.map((group) =>
      group.kind === "number"
        ? { ...group, mlp: { dims: [width, width], final_activation: "none", ...group.mlp } }
        : group,
    ),
  };
}

/** Of latents of a width and a number. */
function deriveDecoder(decoder: Decoder, dim: number, latents: number): Decoder {
  const { queries, positions } = decoder;
  const width = decoderWidth(decoder, dim);
  const length = queries?.kind === "learned" ? queries.length : latents;
  const blocks = deriveBlocks(decoder.blocks, { width, length });
  return {
    final_norm: closingNorm(blocks),
    ...decoder,
    blocks,
    ...(queries?.kind === "learned" && { queries: { dim: width, ...queries } }),
    ...(positions && { positions: derivePositions(positions, latents) }),
  };
}

function derivePositions(positions: Positions, length: number): Positions {
  return positions.kind === "learned"
    ? { length: length + (positions.offset ?? 0), ...positions }
    : positions;
}

function deriveBlocks(blocks: Blocks, sizes: Sizes): Blocks {
  if ("pattern" in blocks)
    return { ...blocks, pattern: blocks.pattern.map((block) => deriveBlock(block, sizes)) };
  return "mixer" in blocks ? deriveBlock(blocks, sizes) : blocks.map((block) => deriveBlock(block, sizes));
}

function deriveBlock(block: Block, sizes: Sizes): Block {
  const branch = (given: Branch | undefined): Branch => ({
    placement: block.placement ?? "pre",
    norm: block.norm ?? { kind: "layer" },
    ...given,
  });
  return {
    ...block,
    mixer: deriveMixer(block.mixer, sizes),
    ...(block.cross_attention && { cross_attention: deriveHeads(block.cross_attention, sizes) }),
    ...(block.ffn === undefined ? {} : { ffn: deriveFeedForward(block.ffn, sizes) }),
    mixer_branch: branch(block.mixer_branch),
    cross_branch: branch(block.cross_branch),
    ffn_branch: branch(block.ffn_branch),
  };
}

function deriveFeedForward(ffn: FeedForward, sizes: Sizes): FeedForward {
  const hidden = 4 * sizes.width;
  switch (ffn.kind) {
    case "none":
      return ffn;
    case "dense":
    case "glu":
      return { hidden, ...ffn };
    case "moe": {
      const { router, shared } = ffn;
      return {
        ...ffn,
        expert: { hidden, ...ffn.expert },
        router: { ...router, groups: { keep: router?.groups?.count ?? 1, ...router?.groups } },
        shared: deriveFeedForward(shared ?? { kind: "none" }, sizes),
      };
    }
    case "parallel":
      return {
        ...ffn,
        branches: ffn.branches.map((branch) => ({ ...branch, ffn: deriveFeedForward(branch.ffn, sizes) })),
      };
  }
}

function deriveMixer(mixer: Mixer, sizes: Sizes): Mixer {
  if (mixer.kind === "long_conv") return deriveLongConv(mixer, sizes);
  if (mixer.kind === "chain") return deriveChain(mixer, sizes);
  if (mixer.kind === "parallel")
    return { ...mixer, branches: mixer.branches.map((branch) => deriveMixer(branch, sizes)) };
  if (mixer.kind === "linear") return { out: sizes.width, ...mixer };
  if (mixer.kind === "selective_ssm") return { step_rank: Math.ceil(sizes.width / 16), ...mixer };
  return mixer.kind === "attention" ? deriveAttention(mixer, sizes) : mixer;
}

/** Each mixer of a chain reads the width that the one before gives. */
function deriveChain(chain: ChainMixer, sizes: Sizes): ChainMixer {
  let { width } = sizes;
  const mixers = chain.mixers.map((mixer) => {
    const derived = deriveMixer(mixer, { ...sizes, width });
    width = mixedWidth(derived, width);
    return derived;
  });
  return { ...chain, mixers };
}

function deriveAttention(mixer: AttentionMixer, sizes: Sizes): AttentionMixer {
  const { position_bias: bias } = mixer;
  const biased = bias?.kind === "distance" && {
    position_bias: { max_distance: Math.max(0, sizes.length - 1), ...bias },
  };
  return { ...deriveHeads(mixer, sizes), ...biased };
}

function deriveHeads<A extends AttentionMixer | CrossAttention>(attention: A, { width }: Sizes): A {
  const { heads } = attention;
  // Where heads do not divide the width, a rule says so.
  const headDim = attention.head_dim ?? Math.max(1, Math.floor(width / heads));
  return {
    kv_heads: heads,
    ...attention,
    head_dim: headDim,
    scale: attention.scale ?? 1 / Math.sqrt(headDim),
  };
}

function deriveLongConv(mixer: LongConvMixer, sizes: Sizes): LongConvMixer {
  const filters = { ...sizes, width: filteredWidth(mixer, sizes.width) };
  const filter = deriveFilter(mixer.filter ?? { kind: "implicit_mlp" }, filters);
  const { residual_conv: residual, gating = { kind: "none" } } = mixer;
  return {
    short_conv: { kind: gating.kind === "hyena" || gating.kind === "pre_post" ? "depthwise" : "none" },
    ...mixer,
    filter,
    ...(gating.kind === "outer_product"
      ? {
          gating: {
            ...gating,
            key_filter: deriveFilter(
              gating.key_filter ?? { kind: "shift", span: filter.span ?? "bidirectional" },
              sizes,
            ),
          },
        }
      : {}),
    ...(residual?.kind === "long_conv"
      ? { residual_conv: { ...residual, filter: deriveFilter(residual.filter ?? filter, sizes) } }
      : {}),
  };
}

function deriveFilter(filter: Filter, { width, length }: Sizes): Filter {
  if (filter.kind === "spectrum") return { groups: width, length, ...filter };
  const { span = "bidirectional" } = filter;
  const reverse = span === "bidirectional" || span === "block_causal" ? "offset_lag1" : "none";
  const groups = filter.kind === "hankel" ? (unmixedFilters(filter) ?? width) : width;
  const sized = { reverse_filter: reverse, groups, length, ...filter } as const;
  if (sized.kind === "implicit_mlp") return { emb_dim: sized.features === "relative" ? 1 : 3, ...sized };
  if (sized.kind !== "multiscale") return sized;
  return { scales: 1 + Math.max(0, Math.ceil(Math.log2(sized.length / (sized.kernel_dim ?? 64)))), ...sized };
}

function deriveTime(
  time: TimeConditioning,
  schedule: NoiseSchedule | undefined,
  { width }: Sizes,
): TimeConditioning {
  if (time.injection === "none") return time;
  const final = time.injection === "ada_ln" ? "silu" : "none";
  return {
    input: standardInput(schedule),
    ...time,
    mlp: { dims: [width, width], final_activation: final, ...time.mlp },
  };
}

function standardInput(schedule: NoiseSchedule | undefined): "alpha" | "gamma" | "t" | "t_index" {
  if (schedule?.family === "flow") return "alpha";
  if (schedule?.family === "gumbel_quantile") return "gamma";
  const kind = schedule?.discretization?.kind ?? "continuous";
  return kind === "continuous" ? "t" : "t_index";
}

/** A pre-norm trunk leaves its sum un-normalised, so a norm like the last block's follows it. */
function derivePrediction(prediction: PredictionType, blocks: Blocks | undefined): PredictionType {
  return { final_norm: blocks === undefined ? { kind: "none" } : closingNorm(blocks), ...prediction };
}

function closingNorm(blocks: Blocks): OptionalNorm {
  const list = "pattern" in blocks ? blocks.pattern : "mixer" in blocks ? [blocks] : blocks;
  const last = list.at(-1);
  const branch =
    last?.ffn?.kind !== "none"
      ? last?.ffn_branch
      : last.cross_attention
        ? last.cross_branch
        : last.mixer_branch;
  return branch !== undefined && branch.placement !== "post" && branch.placement !== "none"
    ? (branch.norm ?? last?.norm ?? { kind: "layer" })
    : { kind: "none" };
}
