// PyTorch's own checkpoint files run code when they are read, so dlmc reads safetensors only and says how to convert.

import { basename, extname } from "node:path";

/** Where the weights are in checkpoints whose layout says nothing else: under "state_dict", or at the top. */
const usualPlace = 'state.get("state_dict", state)';

/** The script that turns a PyTorch checkpoint into safetensors; `stateDict` is the expression for its weights. */
export function pickleHelp(file: string, stateDict = usualPlace): string {
  const name = basename(file);
  const target = `${basename(file, extname(file))}.safetensors`;
  return [
    "convert it once, in Python, and import the result:",
    "import torch; from safetensors.torch import save_file",
    `state = torch.load(${JSON.stringify(name)}, map_location="cpu", weights_only=True)`,
    `weights = ${stateDict}`,
    `save_file({k: v.clone().contiguous() for k, v in weights.items()}, ${JSON.stringify(target)})`,
  ].join("\n  ");
}
