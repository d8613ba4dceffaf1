// Rules of mixers that are made of mixers: the widths between them.

import type { ChainMixer, Mixer, ParallelMixer } from "../description.js";
import { mixedWidth } from "../widths.js";
import type { MixerPlace } from "./place.js";

type Check = (mixer: Mixer, place: MixerPlace) => void;

/** Checks the mixers of a chain, each at the width that it reads. */
export function checkChain({ mixers }: ChainMixer, place: MixerPlace, check: Check): void {
  let { width } = place;
  mixers.forEach((mixer, k) => {
    const pointer = `${place.pointer}/mixers/${k}`;
    check(mixer, { ...place, pointer, width });
    width = { value: mixedWidth(mixer, width.value), note: { message: "what it reads", pointer } };
  });
}

/** Checks the mixers side by side, and that their outputs can be combined. */
export function checkParallel(mixer: ParallelMixer, place: MixerPlace, check: Check): void {
  const { branches, combine } = mixer;
  const { pointer, width, report } = place;
  branches.forEach((branch, k) => {
    check(branch, { ...place, pointer: `${pointer}/branches/${k}` });
  });
  const widths = branches.map((branch) => mixedWidth(branch, width.value));
  const other = combine === "concat" ? -1 : widths.findIndex((found) => found !== widths[0]);
  if (other > 0)
    report.error(
      "model/branch-widths",
      `a ${combine} of outputs of width ${widths[0]} and ${widths[other]} is not defined`,
      {
        pointer: `${pointer}/branches/${other}`,
        notes: [{ message: "the first branch", pointer: `${pointer}/branches/0` }],
        help: 'use branches of one width, or "combine": "concat"',
      },
    );
}

/** A mixer leads back to the width that it reads. */
export function checkWidth(mixer: Mixer, { pointer, width, report }: MixerPlace): void {
  const found = mixedWidth(mixer, width.value);
  if (found !== width.value)
    report.error("model/mixer-width", `the mixer gives ${found} channels, not ${width.value}`, {
      pointer,
      notes: [width.note],
      help: 'end it in a layer { "kind": "linear" } of this width, or give "parallel" an out_proj',
    });
}
