// A minimal repro: the op to blame as a module of its own, with the weights it needs, its inputs, what the reference
// gives and what the candidate gave. A directory that another person can run, written whole or not at all.

import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { Graph, Module, Op, Value } from "../ir/graph.js";
import { present } from "../ir/graph.js";
import { printModule } from "../ir/print.js";
import type { Tensor } from "../ir/tensor.js";
import { bug, fail } from "../support/diagnostic.js";
import { encodeHalf } from "../support/half.js";
import type { Dtype } from "../weights/dtypes.js";
import { encodeSafetensors, type TensorToWrite } from "../weights/writer.js";
import type { Candidate } from "./candidate.js";
import { type FirstDivergence, mismatchDiagnostic } from "./divergence.js";
import { flatten } from "./flatten.js";
import { type InputOptions, makeInputs } from "./inputs.js";
import { isolated, portNames, stored } from "./isolate.js";
import { predict } from "./predict.js";

/** One op on its own: a module, the tensors it takes and gives. */
export interface Repro {
  readonly module: Module;
  readonly graph: string;
  readonly weights: Readonly<Record<string, Tensor>>;
  readonly inputs: Readonly<Record<string, Tensor>>;
  readonly expected: Readonly<Record<string, Tensor>>;
  /** Absent when the candidate does not run the op alone. */
  readonly actual?: Readonly<Record<string, Tensor>>;
  readonly readme: string;
}

/**
 * The repro of a divergence in graph `name`; `inputs` as the check was given them. The op is cut out with what it
 * needs of constants, and the candidate is run on it once more.
 */
export async function makeRepro(
  module: Module,
  name: string,
  divergence: FirstDivergence,
  candidate: Candidate,
  inputs: InputOptions = {},
): Promise<Repro> {
  const flat = flatten(module, name);
  const named = new Map([...portNames(flat)].map(([value, text]) => [text, value]));
  const blamed = named.get(divergence.value) ?? bug(`@${name} has no value ${divergence.value}`);
  const { reference } = predict(module, flat, makeInputs(flat, inputs), {
    accuracy: candidate.accuracy,
    runs: 0,
  });
  const apart = isolated(module, flat);
  const op =
    apart.graph.ops.find((o) => o.results.includes(blamed)) ?? bug(`no op makes %${divergence.value}`);
  const ops = needed(apart.graph, op);
  const used = new Set(ops.flatMap(present));
  const kept = apart.graph.inputs.flatMap((value, i) =>
    used.has(value) ? [{ value, tensor: stored(reference.get(apart.feeds[i]!)!) }] : [],
  );
  const graph: Graph = {
    name: "repro",
    inputs: kept.map(({ value }) => value),
    ops,
    outputs: op.results,
    outputNames: op.results.map((value, i) => portNames(flat).get(value) ?? `y${i}`),
  };
  const alone: Module = { ...apart.module, graphs: [graph] };
  const given = kept.map(({ tensor }) => tensor);
  const results = predict(alone, graph, given, { accuracy: candidate.accuracy, runs: 0 }).reference;
  const byName = (tensors: readonly Tensor[]): Record<string, Tensor> =>
    Object.fromEntries(graph.outputNames.map((output, i) => [output, tensors[i]!]));
  const actual = await candidate.run(alone, "repro", given).catch(() => undefined);
  return {
    module: alone,
    graph: "repro",
    weights: Object.fromEntries(
      ops.flatMap((o) => {
        const weight = o.attributes.name as string;
        return o.name === "weight" ? [[weight, alone.weights.read(weight)]] : [];
      }),
    ),
    inputs: Object.fromEntries(kept.map(({ value, tensor }) => [value.hint ?? "", tensor])),
    expected: byName(op.results.map((value) => results.get(value)!)),
    ...(actual && { actual: byName(actual) }),
    readme: readme(name, divergence, candidate.name),
  };
}

/** The op and the ops its operands are made of, in order. */
function needed(graph: Graph, last: Op): Op[] {
  const wanted = new Set<Value>(present(last));
  const ops: Op[] = [last];
  for (const op of graph.ops.slice(0, graph.ops.indexOf(last)).reverse()) {
    if (!op.results.some((value) => wanted.has(value))) continue;
    for (const value of present(op)) wanted.add(value);
    ops.unshift(op);
  }
  return ops;
}

function readme(graph: string, divergence: FirstDivergence, candidate: string): string {
  const { message } = mismatchDiagnostic(graph, divergence);
  return [
    `# ${divergence.op} on ${candidate}`,
    "",
    message,
    ...(divergence.pointer === "" ? [] : ["", `Place in the description: ${divergence.pointer}`]),
    "",
    "    dlmc opt op.ir --run inputs.safetensors --weights weights.safetensors",
    "",
    "`expected.safetensors` is the float64 reference, `actual.safetensors` what the candidate gave.",
    "",
  ].join("\n");
}

/**
 * Writes a repro to a directory that does not exist yet, by renaming a finished one.
 * Throws `check/repro-exists`.
 */
export function writeRepro(repro: Repro, directory: string): void {
  mkdirSync(dirname(directory), { recursive: true });
  const temporary = mkdtempSync(join(dirname(directory), `.${basename(directory)}-`));
  try {
    const write = (file: string, tensors: Readonly<Record<string, Tensor>>): void =>
      writeFileSync(join(temporary, file), encodeSafetensors(Object.entries(tensors).map(toWrite)));
    writeFileSync(join(temporary, "op.ir"), printModule(repro.module));
    write("weights.safetensors", repro.weights);
    write("inputs.safetensors", repro.inputs);
    write("expected.safetensors", repro.expected);
    if (repro.actual !== undefined) write("actual.safetensors", repro.actual);
    writeFileSync(join(temporary, "README.md"), repro.readme);
    renameSync(temporary, directory);
  } catch (error) {
    rmSync(temporary, { recursive: true, force: true });
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "ENOTEMPTY" || code === "EEXIST" || code === "ENOTDIR")
      fail("check/repro-exists", `${directory} is there already`, {
        help: "name a directory that does not exist",
      });
    throw error;
  }
}

/** Reals as F64, so that the reference loses nothing; halves, integers and booleans as they are. */
function toWrite([name, { element, shape, data }]: [string, Tensor]): TensorToWrite {
  const packed = (dtype: Dtype, array: ArrayBufferView): TensorToWrite => ({
    name,
    dtype,
    shape: element === "c64" ? [...shape, 2] : shape,
    bytes: () => new Uint8Array(array.buffer, array.byteOffset, array.byteLength),
  });
  switch (element) {
    case "i32":
      return packed("I32", Int32Array.from(data));
    case "bool":
      return packed("BOOL", Uint8Array.from(data));
    case "f16":
      return data.every((v) => Object.is(v, stored({ element, shape, data: Float64Array.of(v) }).data[0]))
        ? packed("F16", Uint16Array.from(data, encodeHalf))
        : packed("F64", data);
    default:
      return packed("F64", data);
  }
}
