// A minimal repro: the op to blame as a module of its own, with the weights it needs, its inputs, what the reference
// gives and what the candidate gave.

import type { Graph, Module, Op, Value } from "../ir/graph.js";
import { present } from "../ir/graph.js";
import type { Tensor } from "../ir/tensor.js";
import { bug } from "../support/diagnostic.js";
import type { Candidate } from "./candidate.js";
import { mismatchDiagnostic } from "./divergence.js";
import { flatten } from "./flatten.js";
import { type InputOptions, makeInputs } from "./inputs.js";
import { isolated, portNames } from "./isolate.js";
import { predict } from "./predict.js";
import type { FirstDivergence } from "./report-types.js";
import { stored } from "./stored.js";

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
    inputs: Object.fromEntries(kept.map(({ value, tensor }) => [portNames(graph).get(value)!, tensor])),
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
    "    dlmc check .",
    "",
    "`op.ir` is the op alone, `inputs.safetensors` and `weights.safetensors` what it takes;",
    "`expected.safetensors` is the float64 reference, `actual.safetensors` what the candidate gave.",
    "",
  ].join("\n");
}
