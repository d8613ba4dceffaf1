// The float64 reference as a step runner: the same sampler loop that drives ONNX and WGSL drives it.

import { levelInputs } from "../diffusion/plan.js";
import { evaluate } from "../ir/evaluate.js";
import type { Graph, Module } from "../ir/graph.js";
import { findGraph } from "../ir/graph.js";
import { type Tensor, tensor } from "../ir/tensor.js";
import type { Runner } from "../runtime/any-runner.js";
import { hostBlocks } from "../runtime/discrete/host-blocks.js";
import type { FloatArray, Rounded, StepInputs, StepOutputs, StepRunner } from "../runtime/step-runner.js";
import type { BlockSession, TokenRunner } from "../runtime/token-runner.js";
import { bug } from "../support/diagnostic.js";

type Named = Readonly<Record<string, Tensor>>;

/** Runs the graphs of a lowered model in float64. */
export function referenceRunner(module: Module): Runner {
  return findGraph(module, "embed") === undefined ? tokenRunner(module) : stepRunner(module);
}

function tokenRunner(module: Module): TokenRunner {
  const denoise = graphOf(module, "denoise");
  const [, length, vocabulary] = denoise.outputs[0]!.type.shape.map((extent) => extent.value);
  return {
    length: length!,
    vocabulary: vocabulary!,
    async logits({ batch, tokens, level }) {
      const outputs = run(module, denoise, {
        tokens: tensor("i32", [batch, length!], Float64Array.from(tokens)),
        level: tensor("f32", [batch], perRow(level, batch)),
      });
      return outputs.logits!.data;
    },
    ...(findGraph(module, "block") !== undefined && { openBlocks: (batch) => blockSession(module, batch) }),
    async dispose() {},
  };
}

function blockSession(module: Module, batch: number): BlockSession {
  const prefix = findGraph(module, "prefix");
  const inputs = [graphOf(module, "block"), ...(prefix === undefined ? [] : [prefix])].flatMap((graph) =>
    graph.inputs.map(({ hint, type }) => ({
      name: hint ?? "",
      element: type.element,
      shape: type.shape.map((extent) => extent.value ?? batch),
    })),
  );
  return hostBlocks({
    batch,
    inputs,
    hasPrefix: prefix !== undefined,
    zeros: (count) => new Float64Array(count),
    async run(name, feeds) {
      const given = inputs.flatMap((port): [string, Tensor][] => {
        const value = feeds[port.name];
        if (value === undefined) return [];
        const data = port.name === "level" ? perRow(value, batch) : Float64Array.from(value);
        return [[port.name, tensor(port.element, port.shape, data)]];
      });
      const outputs = run(module, graphOf(module, name), Object.fromEntries(given));
      return Object.fromEntries(Object.entries(outputs).map(([output, { data }]) => [output, data]));
    },
  });
}

function perRow(level: ArrayLike<number>, batch: number): Float64Array {
  return Float64Array.from({ length: batch }, (_, row) => level[level.length === 1 ? 0 : row]!);
}

function stepRunner(module: Module): StepRunner {
  const embed = graphOf(module, "embed");
  const [batchLength, width] = [
    embed.outputs[0]!.type.shape[1]!.value!,
    embed.outputs[0]!.type.shape[2]!.value!,
  ];
  const vocabulary = graphOf(module, "denoise").outputs[1]!.type.shape[2]!.value!;
  const state = (data: FloatArray, batch: number): Tensor =>
    tensor("f32", [batch, batchLength, width], Float64Array.from(data));
  const column = (value: number, batch: number): Tensor =>
    tensor("f32", [batch], new Float64Array(batch).fill(value));
  const rounded = (outputs: Named): Rounded => ({
    logits: outputs.logits!.data,
    tokens: argmaxRows(outputs.logits!),
  });
  return {
    length: batchLength,
    dim: width,
    vocabulary,
    async embed(tokens, batch) {
      return run(module, embed, { tokens: tensor("i32", [batch, batchLength], Float64Array.from(tokens)) }).x!
        .data;
    },
    async step({ batch, x, previousX0, noise, row, fixedMask, fixedX }: StepInputs): Promise<StepOutputs> {
      const outputs = run(module, graphOf(module, "step"), {
        x: state(x, batch),
        self_cond: state(previousX0, batch),
        x0_prev: state(previousX0, batch),
        noise: state(noise, batch),
        ...levelInputs(row, (value) => column(value, 1)),
        coefficients: tensor("f32", [4], Float64Array.of(row.a, row.b, row.c, row.s)),
        fixed_mask: tensor("bool", [batch, batchLength], Float64Array.from(fixedMask)),
        fixed_x: state(fixedX, batch),
      });
      return { x: outputs.x_next!.data, x0: outputs.x0!.data, tokens: Int32Array.from(outputs.tokens!.data) };
    },
    async denoise({ batch, x, previousX0, point }) {
      const inputs = {
        x: state(x, batch),
        ...levelInputs(point, (value) => column(value, batch)),
        self_cond: state(previousX0, batch),
      };
      return rounded(run(module, graphOf(module, "denoise"), inputs));
    },
    ...(findGraph(module, "round") !== undefined && {
      async round(x: FloatArray, batch: number) {
        return rounded(run(module, graphOf(module, "round"), { x: state(x, batch) }));
      },
    }),
    async dispose() {},
  };
}

/** Evaluates a graph on inputs by name; names it does not take are passed over. */
function run(module: Module, graph: Graph, inputs: Named): Named {
  const ordered = graph.inputs.map(
    (value) =>
      inputs[value.hint ?? ""] ?? bug(`the reference has no value for input ${value.hint} of @${graph.name}`),
  );
  const outputs = evaluate(module, graph.name, ordered);
  return Object.fromEntries(graph.outputNames.map((name, i) => [name, outputs[i]!]));
}

function graphOf(module: Module, name: string): Graph {
  return findGraph(module, name) ?? bug(`the module has no graph @${name}`);
}

function argmaxRows(logits: Tensor): Int32Array {
  const width = logits.shape[logits.shape.length - 1]!;
  return Int32Array.from({ length: logits.data.length / width }, (_, row) => {
    let best = 0;
    for (let i = 1; i < width; i++)
      if (logits.data[row * width + i]! > logits.data[row * width + best]!) best = i;
    return best;
  });
}
