// The float64 reference as a step runner: the same sampler loop that drives ONNX and WGSL drives it.

import { coefficientsOf, levelInputs, repeated } from "../diffusion/rows.js";
import { evaluate } from "../ir/evaluate.js";
import type { Graph, Module, Value } from "../ir/graph.js";
import { findGraph } from "../ir/graph.js";
import { count, type Tensor, tensor } from "../ir/tensor.js";
import type { Runner } from "../runtime/any-runner.js";
import { classValues } from "../runtime/classes.js";
import { hostBlocks } from "../runtime/discrete/host-blocks.js";
import { noEncoder } from "../runtime/encoder.js";
import { previousPort, previousRows } from "../runtime/self-conditioning.js";
import type { SimplexRunner } from "../runtime/simplex/simplex-runner.js";
import type {
  EncoderPort,
  EncoderRows,
  FloatArray,
  Rounded,
  StepInputs,
  StepOutputs,
  StepRunner,
} from "../runtime/step-runner.js";
import type { BlockSession, PreviousLogits, TokenRunner } from "../runtime/token-runner.js";
import { bug } from "../support/diagnostic.js";

type Named = Readonly<Record<string, Tensor>>;

/** Runs the graphs of a lowered model in float64. */
export function referenceRunner(module: Module): Runner {
  if (findGraph(module, "step") !== undefined) return stepRunner(module);
  return inputOf(graphOf(module, "denoise"), "tokens") ? tokenRunner(module) : simplexRunner(module);
}

function tokenRunner(module: Module): TokenRunner {
  const denoise = graphOf(module, "denoise");
  const [, length, vocabulary] = denoise.outputs[0]!.type.shape.map((extent) => extent.value);
  const selfConditioned = inputOf(denoise, previousPort) !== undefined;
  const seen = (previous: PreviousLogits | undefined, batch: number): Named => {
    if (!selfConditioned) return {};
    const { self_cond_mask: mask, self_cond_scale: scale } = previousRows(previous, batch);
    const n = batch * length! * vocabulary!;
    return {
      [previousPort]: tensor(
        "f32",
        [batch, length!, vocabulary!],
        Float64Array.from(previous?.logits ?? new Float64Array(n)),
      ),
      self_cond_mask: tensor("bool", [batch], Float64Array.from(mask)),
      self_cond_scale: tensor("f32", [batch], Float64Array.from(scale)),
    };
  };
  return {
    length: length!,
    vocabulary: vocabulary!,
    selfConditioned,
    ...encoderOf(denoise),
    async logits({ batch, tokens, level, previous, encoder, classes }) {
      const outputs = run(module, denoise, {
        tokens: tensor("i32", [batch, length!], Float64Array.from(tokens)),
        level: tensor("f32", [batch], perRow(level, batch)),
        ...seen(previous, batch),
        ...encoderInputs(denoise, encoder, batch),
        ...classInputs(denoise, classes),
      });
      return outputs.logits!.data;
    },
    ...(findGraph(module, "block") !== undefined && {
      openBlocks: (batch, count) => Array.from({ length: count }, () => blockSession(module, batch)),
    }),
    async dispose() {},
  };
}

function simplexRunner(module: Module): SimplexRunner {
  const denoise = graphOf(module, "denoise");
  const [length, vocabulary] = sizesOf(denoise.outputs[0]!) as [number, number];
  return {
    length,
    vocabulary,
    ...encoderOf(denoise),
    async predict({ batch, simplex, previous, level, fixedMask, fixedTokens, encoder, classes }) {
      const logits = (data: FloatArray): Tensor =>
        tensor("f32", [batch, length, vocabulary], Float64Array.from(data));
      const outputs = run(module, denoise, {
        simplex: logits(simplex),
        self_cond: logits(previous),
        level: tensor("f32", [batch], perRow([level], batch)),
        fixed_mask: tensor("bool", [batch, length], Float64Array.from(fixedMask)),
        fixed_tokens: tensor("i32", [batch, length], Float64Array.from(fixedTokens)),
        ...encoderInputs(denoise, encoder, batch),
        ...classInputs(denoise, classes),
      });
      return outputs.logits!.data;
    },
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
  const denoise = graphOf(module, "denoise");
  const decode = findGraph(module, "decode");
  const [batchLength, width] = sizesOf(inputOf(denoise, "x")!) as [number, number];
  const scores = decode ?? denoise;
  const logits = scores.outputs[scores.outputNames.indexOf("logits")];
  const state = (data: FloatArray, batch: number): Tensor =>
    tensor("f32", [batch, batchLength, width], Float64Array.from(data));
  /** Numbers for an input with a row per text or position, over and over. */
  const filled = (graph: Graph, name: string, values: readonly number[], batch: number): Tensor => {
    const shape = inputOf(graph, name)?.type.shape.map((extent) => extent.value ?? batch) ?? [values.length];
    return tensor("f32", shape, repeated(values, count(shape)));
  };
  const rounded = (outputs: Named): Rounded => ({
    logits: outputs.logits!.data,
    tokens: argmaxRows(outputs.logits!),
  });
  return {
    length: batchLength,
    dim: width,
    // Latents that nothing decodes have no tokens.
    vocabulary: logits === undefined ? 0 : sizesOf(logits)[1]!,
    ...encoderOf(denoise),
    async embed(tokens, batch) {
      return run(module, graphOf(module, "embed"), {
        tokens: tensor("i32", [batch, batchLength], Float64Array.from(tokens)),
      }).x!.data;
    },
    async step({
      batch,
      x,
      previousX0,
      noise,
      row,
      fixedMask,
      fixedX,
      encoder,
      classes,
    }: StepInputs): Promise<StepOutputs> {
      const graph = graphOf(module, "step");
      const outputs = run(module, graph, {
        x: state(x, batch),
        self_cond: state(previousX0, batch),
        x0_prev: state(previousX0, batch),
        noise: state(noise, batch),
        ...levelInputs(row, (values, name) => filled(graph, name, values, batch)),
        coefficients: filled(graph, "coefficients", coefficientsOf(row), batch),
        fixed_mask: tensor("bool", [batch, batchLength], Float64Array.from(fixedMask)),
        fixed_x: state(fixedX, batch),
        ...encoderInputs(graph, encoder, batch),
        ...classInputs(graph, classes),
      });
      return {
        x: outputs.x_next!.data,
        x0: outputs.x0!.data,
        tokens: Int32Array.from(outputs.tokens?.data ?? []),
      };
    },
    async denoise({ batch, x, previousX0, point, fixedMask, encoder, classes }) {
      const graph = graphOf(module, "denoise");
      const inputs = {
        x: state(x, batch),
        ...levelInputs(point, (values, name) => filled(graph, name, values, batch)),
        self_cond: state(previousX0, batch),
        fixed_mask: tensor("bool", [batch, batchLength], Float64Array.from(fixedMask)),
        ...encoderInputs(graph, encoder, batch),
        ...classInputs(graph, classes),
      };
      return rounded(run(module, graph, inputs));
    },
    ...(findGraph(module, "round") !== undefined && {
      async round(x: FloatArray, batch: number, encoder?: EncoderRows, classes?: Int32Array) {
        const graph = graphOf(module, "round");
        const inputs = { ...encoderInputs(graph, encoder, batch), ...classInputs(graph, classes) };
        return rounded(run(module, graph, { x: state(x, batch), ...inputs }));
      },
    }),
    ...(decode && {
      async decode(x: FloatArray, batch: number) {
        const outputs = run(module, decode, { x: state(x, batch) });
        return {
          latents: outputs.latents!.data,
          tokens: Int32Array.from(outputs.tokens?.data ?? []),
          ...(outputs.logits && { logits: outputs.logits.data }),
        };
      },
    }),
    async dispose() {},
  };
}

const sizesOf = (value: Value): readonly number[] => value.type.shape.slice(1).map((extent) => extent.value!);

function inputOf(graph: Graph, name: string): Value | undefined {
  return graph.inputs.find(({ hint }) => hint === name);
}

/** What the graph takes of an encoder, as the member of a runner. */
function encoderOf(graph: Graph): { readonly encoder?: EncoderPort } {
  const value = inputOf(graph, "encoder");
  if (value === undefined) return {};
  const [length, dim] = sizesOf(value) as [number, number];
  return { encoder: { length, dim, mask: inputOf(graph, "encoder_mask") !== undefined } };
}

function encoderInputs(graph: Graph, encoder: EncoderRows | undefined, batch: number): Named {
  const value = inputOf(graph, "encoder");
  if (value === undefined || encoder === undefined) return {};
  const [length, dim] = sizesOf(value) as [number, number];
  return {
    encoder: tensor("f32", [batch, length, dim], Float64Array.from(encoder.values)),
    encoder_mask: tensor("bool", [batch, length], Float64Array.from(encoder.mask)),
  };
}

function classInputs(graph: Graph, classes: Int32Array | undefined): Named {
  const values = classValues(classes, inputOf(graph, "class") !== undefined);
  return values.class ? { class: tensor("i32", [values.class.length], Float64Array.from(values.class)) } : {};
}

/** Evaluates a graph on inputs by name; names it does not take are passed over. */
function run(module: Module, graph: Graph, inputs: Named): Named {
  const ordered = graph.inputs.map(
    (value) =>
      inputs[value.hint ?? ""] ??
      (value.hint === "encoder"
        ? noEncoder()
        : bug(`the reference has no value for input ${value.hint} of @${graph.name}`)),
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
