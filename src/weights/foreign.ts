// Recognises files that people hand over in place of safetensors, by their first bytes.

interface Foreign {
  readonly what: string;
  readonly help: string;
}

const convert = "convert it with the safetensors library of Python: save_file(state_dict, path)";

/** Magic bytes as Latin-1 text. */
const kinds: readonly (readonly [magic: string, Foreign])[] = [
  [
    "version https://git-lfs",
    {
      what: "a Git LFS pointer (a few lines of text in place of the weights)",
      help: "run `git lfs pull` in the checkpoint's repository, or download the file itself",
    },
  ],
  ["PK\x03\x04", { what: "a zip archive (a PyTorch .pt/.pth/.bin checkpoint, or .npz)", help: convert }],
  ["\x80\x02", { what: "a Python pickle (an old PyTorch checkpoint)", help: convert }],
  ["\x80\x04", { what: "a Python pickle", help: convert }],
  ["GGUF", { what: "a GGUF file", help: "use the original safetensors checkpoint of the model" }],
  ["\x93NUMPY", { what: "a NumPy .npy array", help: convert }],
  ["\x89HDF\r\n", { what: "an HDF5 file", help: convert }],
  ["<!DOCTYPE", { what: "a web page", help: "the download link led to a page; fetch the file itself" }],
  ["<!doctype", { what: "a web page", help: "the download link led to a page; fetch the file itself" }],
  ["<html", { what: "a web page", help: "the download link led to a page; fetch the file itself" }],
  [
    '{"',
    {
      what: "JSON text (a safetensors file begins with the 8-byte length of its header)",
      help: "for a checkpoint in several files, name its model.safetensors.index.json",
    },
  ],
];

/**
 * What a file is when its first bytes say that it is not safetensors. Magic bytes can by chance be the low
 * bytes of a true header length; then the length's high bytes are zero and the header's brace follows.
 */
export function foreignFile(start: Uint8Array): Foreign | undefined {
  const text = String.fromCharCode(...start.subarray(0, 32));
  const hit = kinds.find(([magic]) => text.startsWith(magic));
  if (hit === undefined) return undefined;
  const couldBeLength =
    start.byteLength >= 9 && start[8] === 0x7b && start.subarray(4, 8).every((b) => b === 0);
  return couldBeLength ? undefined : hit[1];
}
