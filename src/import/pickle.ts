// PyTorch's own checkpoint files run code when they are read, so dlmc reads safetensors only and says how to convert.

import { basename, extname } from "node:path";

/** Where the weights are in checkpoints whose layout says nothing else: a key that training scripts use, or the top. */
const usualPlace =
  'next((state[k] for k in ("ema", "state_dict", "model") if isinstance(state.get(k), dict)), state)';

/**
 * The four lines that turn a PyTorch checkpoint, in one file or in shards of one folder, into safetensors. `stateDict`
 * is the expression for the weights within `state`.
 */
export function pickleHelp(files: readonly string[], stateDict = usualPlace): string {
  const names = files.map((file) => JSON.stringify(basename(file)));
  const target = files.length > 1 ? "model" : basename(files[0]!, extname(files[0]!));
  const load = (file: string): string => `torch.load(${file}, map_location="cpu", weights_only=True)`;
  const state =
    names.length > 1
      ? `{k: v for f in [${names.join(", ")}] for k, v in ${load("f")}.items()}`
      : load(names[0]!);
  return [
    "convert it once, in Python beside the checkpoint, and import the result:",
    "import torch; from safetensors.torch import save_file",
    `state = ${state}`,
    `weights = ${stateDict}`,
    `save_file({k: v.clone().contiguous() for k, v in weights.items()}, ${JSON.stringify(`${target}.safetensors`)})`,
  ].join("\n  ");
}
