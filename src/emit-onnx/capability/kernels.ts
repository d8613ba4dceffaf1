// Which operators have a kernel on which execution provider of ONNX Runtime, for which versions and types.
// The tables are text lines (generated/kernels.ts): `Name range inputs>outputs T=fh U=l`, one letter per type.
import type { OnnxElement } from "../proto/messages.js";
import { cpuKernels, cudaKernels, webgpuKernels } from "./generated/kernels.js";
import { sinceVersion } from "./opsets.js";

export type Provider = "cpu" | "cuda" | "webgpu";

const letterOf: Readonly<Record<OnnxElement, string>> = {
  float: "f",
  float16: "h",
  bfloat16: "b",
  double: "d",
  int64: "l",
  int32: "i",
  int16: "s",
  int8: "c",
  uint64: "L",
  uint32: "I",
  uint16: "S",
  uint8: "C",
  bool: "?",
  string: "",
};

interface Kernel {
  readonly first: number;
  /** Infinity for an open range. */
  readonly last: number;
  /** Per position the accepted type letters; the last one repeats. `undefined` when the table states no types. */
  readonly inputs?: readonly string[];
  readonly outputs?: readonly string[];
}

const tables: Readonly<Record<Provider, ReadonlyMap<string, readonly Kernel[]>>> = {
  cpu: parse(cpuKernels),
  cuda: parse(cudaKernels),
  webgpu: parse(webgpuKernels),
};

function parse(text: string): ReadonlyMap<string, readonly Kernel[]> {
  const table = new Map<string, Kernel[]>();
  for (const line of text.trim().split("\n")) {
    const [name, range, signature, ...bindings] = line.split(" ");
    const [first, last] = range!.split("-");
    const types = new Map(bindings.map((binding) => binding.split("=") as [string, string]));
    const slots = (list: string) => list.split(",").map((slot) => slotLetters(slot.split("/"), types));
    const [inputs, outputs] = signature === undefined ? [] : signature.split(">");
    const kernel: Kernel = {
      first: Number(first),
      last: last === "" ? Number.POSITIVE_INFINITY : Number(last),
      ...(inputs === undefined ? {} : { inputs: slots(inputs) }),
      ...(outputs === undefined ? {} : { outputs: slots(outputs) }),
    };
    const known = table.get(name!);
    if (known === undefined) table.set(name!, [kernel]);
    else known.push(kernel);
  }
  return table;
}

/** What one position accepts: the union of its variables' types; a variable without types takes anything. */
function slotLetters(tokens: readonly string[], types: ReadonlyMap<string, string>): string {
  const known = tokens.flatMap((token) =>
    token.startsWith("=") ? token.slice(1) : (types.get(token) ?? []),
  );
  return known.length === 0 ? Object.values(letterOf).join("") : known.join("");
}

/** A node as far as kernel selection sees it; absent optional inputs are `undefined`. */
export interface NodeSignature {
  readonly domain: string;
  readonly op: string;
  readonly opset: number;
  readonly inputs: readonly (OnnxElement | undefined)[];
  readonly outputs: readonly OnnxElement[];
}

/**
 * Why a provider cannot run a node, or `undefined` when it can. The rule is ONNX Runtime's: a closed range takes
 * any definition that appeared inside it, an open range only the definition it starts at.
 */
export function missingKernel(provider: Provider, node: NodeSignature): string | undefined {
  const key = node.domain === "" ? node.op : `${node.domain}:${node.op}`;
  const kernels = tables[provider].get(key);
  if (kernels === undefined) return `no kernel for ${key} at all`;
  const since = sinceVersion(node.domain, node.op, node.opset);
  if (since === undefined) return `${key} does not exist in opset ${node.opset}`;
  const versioned = kernels.filter(
    ({ first, last }) =>
      first === since || (last !== Number.POSITIVE_INFINITY && first <= since && since <= last),
  );
  if (versioned.length === 0) return `no kernel for ${key} as defined in opset ${since}`;
  if (versioned.some((kernel) => accepts(kernel, node))) return undefined;
  const types = node.inputs.map((element) => element ?? "-").join(", ");
  return `no kernel for ${key}(${types}) -> ${node.outputs.join(", ")}`;
}

function accepts(kernel: Kernel, node: NodeSignature): boolean {
  const fits = (slots: readonly string[] | undefined, elements: readonly (OnnxElement | undefined)[]) =>
    slots === undefined ||
    elements.every(
      (element, index) =>
        element === undefined || (slots[index] ?? slots.at(-1)!).includes(letterOf[element]),
    );
  return fits(kernel.inputs, node.inputs) && fits(kernel.outputs, node.outputs);
}
