// The promise of profile `cuda`, proved before anything runs: every node, in loops too, has a CUDA kernel for
// its operator version and element types. A node without one would run on the CPU with copies around it.
import type { Report } from "../support/diagnostic.js";
import { type BuiltGraph, type BuiltNode, bodiesOf } from "./built-graph.js";
import { missingKernel, type Provider } from "./capability/kernels.js";

/** What ONNX Runtime calls the execution providers. */
const providerNames: Readonly<Record<Provider, string>> = { cpu: "CPU", cuda: "CUDA", webgpu: "WebGPU" };

/** One `onnx/no-<provider>-kernel` error per node that `provider` cannot run; none is the proof. */
export function proveKernels(graph: BuiltGraph, provider: Provider, report: Report): void {
  for (const { node, why } of withoutKernel(graph, provider)) {
    report.error(
      `onnx/no-${provider}-kernel`,
      `node ${node.name} of graph ${graph.name} cannot run on ONNX Runtime's ${providerNames[provider]} provider: ${why}`,
      {
        pointer: node.pointer,
        help: "compile with --profile standard, where such nodes run on the CPU provider",
      },
    );
  }
}

/** Operators of a graph that a provider would leave to the CPU, sorted; for the manifest. */
export function fallbacks(graph: BuiltGraph, provider: Provider): readonly string[] {
  return [...new Set(withoutKernel(graph, provider).map(({ node }) => node.op))].sort();
}

function withoutKernel(
  graph: BuiltGraph,
  provider: Provider,
): { readonly node: BuiltNode; readonly why: string }[] {
  const found: { readonly node: BuiltNode; readonly why: string }[] = [];
  const visit = (nodes: readonly BuiltNode[]): void => {
    for (const node of nodes) {
      for (const body of bodiesOf(node)) visit(body.nodes);
      const why = missingFor(provider, node, graph.opset);
      if (why !== undefined) found.push({ node, why });
    }
  };
  visit(graph.nodes);
  return found;
}

function missingFor(provider: Provider, node: BuiltNode, opset: number): string | undefined {
  const inputs = node.inputs.map((value) => value?.type.element);
  const outputs = node.outputs.map((value) => value.type.element);
  const why = missingKernel(provider, { domain: node.domain, op: node.op, opset, inputs, outputs });
  if (why === undefined || provider !== "cpu") return why;
  // Where the CPU lacks half precision, ONNX Runtime casts around its single precision kernel.
  const single = <T>(element: T) => (element === "float16" ? "float" : element);
  const cast = { inputs: inputs.map(single), outputs: outputs.map(single) };
  return missingKernel(provider, { domain: node.domain, op: node.op, opset, ...cast }) && why;
}
