// What an exact cache of settled blocks needs: nothing that a network computes of them may change any more. So no mixer
// sees a later block, the noise level is not told, and blocks are where the mixers have theirs.

import type { Report } from "../../support/diagnostic.js";
import type { Description, Filter, LongConvMixer, Mixer, ModelDescription } from "../description.js";
import { describedBlocks } from "../widths.js";

const here = "/sampler/blocks";
const way = 'use causal or block_causal mixers, or leave "cache" out';

/** Checks a description whose blocks are to be cached. */
export function checkCache(description: Description, report: Report): void {
  if (description.part !== "model") return;
  const { sampler, state_space: state } = description;
  const blocks = "blocks" in sampler ? sampler.blocks : undefined;
  if (blocks?.cache !== "exact" || state.kind === "continuous_embedding") return;
  checkSampler(description, report);
  for (const { block, pointer } of describedBlocks(description.blocks))
    for (const [place, sees] of looksAhead(block.mixer, `${pointer}/mixer`, blocks.length))
      report.error("model/cache-mixer", `settled blocks of ${blocks.length} cannot be kept: ${sees}`, {
        pointer: place,
        notes: [{ message: "the cache", pointer: `${here}/cache` }],
        help: way,
      });
}

function checkSampler(
  { sampler, conditioning, time_conditioning: time, self_conditioning: self }: ModelDescription,
  report: Report,
): void {
  const notes = [{ message: "the cache", pointer: `${here}/cache` }];
  if ("blocks" in sampler && sampler.blocks?.from === "prompt")
    report.error("model/cache-from", "an exact cache begins at position 0, blocks behind a prompt do not", {
      pointer: `${here}/from`,
      notes,
      help: 'use "from": "start": given positions of a block stay as they are',
    });
  if ("blocks" in sampler && sampler.blocks?.leftovers === "compete")
    report.error("model/cache-leftovers", "positions of settled blocks cannot be placed any more", {
      pointer: `${here}/leftovers`,
      notes,
      help: 'use "leftovers": "stay", or leave "cache" out',
    });
  if ("guidance" in sampler && sampler.guidance !== undefined)
    report.error(
      "model/cache-guidance",
      "guidance reads every text a second time, without its given tokens",
      {
        pointer: "/sampler/guidance",
        notes,
        help: 'leave "cache" or "guidance" out',
      },
    );
  if (self.combine !== "none")
    report.error(
      "model/cache-self-conditioning",
      "settled blocks would change with what was predicted of them",
      {
        pointer: "/self_conditioning/combine",
        notes,
        help: 'leave "cache" or self-conditioning out',
      },
    );
  if (conditioning.encoder !== undefined)
    report.error("model/cache-encoder", "settled blocks are kept without the encoder that they attended to", {
      pointer: "/conditioning/encoder",
      notes,
      help: 'leave "cache" or "encoder" out',
    });
  if (time.injection !== "none" && time.input !== "zero" && time.input !== "constant")
    report.error(
      "model/cache-level",
      "the network is told the noise level, so what it computes of settled blocks changes with it",
      {
        pointer: "/time_conditioning/input",
        notes,
        help: 'use "input": "zero", or no time conditioning',
      },
    );
}

type Ahead = readonly [pointer: string, sees: string];

/** Where a mixer sees positions beyond its own block of the decoder's `length`. */
function looksAhead(mixer: Mixer, pointer: string, length: number): Ahead[] {
  switch (mixer.kind) {
    case "attention":
      if (mixer.position_bias.kind !== "none")
        return [[`${pointer}/position_bias`, "scores have a bias by the distance to every position"]];
      if (mixer.mask.kind === "causal") return [];
      return mixer.mask.kind === "block_causal"
        ? unaligned(mixer.mask.block, `${pointer}/mask/block`, length)
        : [[`${pointer}/mask/kind`, `the mask "${mixer.mask.kind}" sees later blocks`]];
    case "long_conv":
      return ofLongConv(mixer, pointer, length);
    case "chain":
      if (mixer.direction === "backward")
        return [[`${pointer}/direction`, "a backward chain sees later blocks"]];
      return mixer.mixers.flatMap((part, k) => looksAhead(part, `${pointer}/mixers/${k}`, length));
    case "parallel":
      return mixer.branches.flatMap((part, k) => looksAhead(part, `${pointer}/branches/${k}`, length));
    case "linear":
      return [];
    case "state_space":
      return mixer.directions === "forward"
        ? []
        : [[`${pointer}/directions`, "backward states see later blocks"]];
    case "selective_ssm":
      return [[`${pointer}/kind`, "a selective state-space model is computed over all positions at once"]];
    case "short_conv":
      return mixer.span === "causal" ? [] : [[`${pointer}/span`, "a centred convolution sees later blocks"]];
    default:
      return [[`${pointer}/kind`, `${mixer.kind} mixes all positions`]];
  }
}

function ofLongConv(mixer: LongConvMixer, pointer: string, length: number): Ahead[] {
  const { short_conv: short, residual_conv: residual } = mixer;
  const centred: Ahead[] =
    short.kind === "depthwise" && short.span !== "causal"
      ? [[`${pointer}/short_conv/span`, "a centred convolution sees later blocks"]]
      : [];
  const parallel =
    residual.kind === "long_conv" && JSON.stringify(residual.filter) !== JSON.stringify(mixer.filter)
      ? ofFilter(residual.filter, `${pointer}/residual_conv/filter`, length)
      : [];
  const adaptive: Ahead[] =
    mixer.adaptive_filter.kind === "none"
      ? []
      : [[`${pointer}/adaptive_filter/kind`, "an adaptive filter is made from all positions"]];
  return [...centred, ...adaptive, ...ofFilter(mixer.filter, `${pointer}/filter`, length), ...parallel];
}

function ofFilter(filter: Filter, pointer: string, length: number): Ahead[] {
  if (filter.span === "causal") return [];
  if (filter.span !== "block_causal")
    return [[`${pointer}/span`, `a ${filter.span} filter sees later blocks`]];
  const block = "block" in filter ? filter.block : undefined;
  return block === undefined ? [] : unaligned(block, `${pointer}/block`, length);
}

function unaligned(block: number, pointer: string, length: number): Ahead[] {
  return length % block === 0 ? [] : [[pointer, `they hold no whole number of blocks of ${block}`]];
}
