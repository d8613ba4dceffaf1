// A bundle's graphs as ONNX Runtime sessions, and what every runner over them needs: values by the names of ports, outputs
// of @filters, @time and @encode where a graph takes them.

import { repeated } from "../diffusion/rows.js";
import { fail } from "../support/diagnostic.js";
import { noEncoder } from "./encoder.js";
import { encoderPort, type ManifestGraph, type ManifestPort } from "./manifest.js";
import type { OrtModule, OrtSession, OrtTensor } from "./ort.js";
import { type HostArray, toTensor } from "./ort-tensor.js";
import type { EncoderPort } from "./step-runner.js";

/** A graph and its session. */
export interface Session {
  readonly graph: ManifestGraph;
  readonly session: OrtSession;
}

type Values = Readonly<Record<string, HostArray>>;

/** A bundle's sessions, and what every runner over them needs. */
export interface OpenGraphs {
  /** The session of a graph. Throws `bundle/missing-graph`. */
  need(name: string): Session;
  has(name: string): boolean;
  /** The port of a graph. Throws `bundle/manifest`. */
  port(ports: readonly ManifestPort[], name: string): ManifestPort;
  /** The extent as a number. Throws `bundle/length`. */
  known(extent: number | string | undefined, what: string): number;
  run(session: Session, values: Values, batch: number): Promise<Readonly<Record<string, OrtTensor>>>;
  /** The length asked for. */
  readonly length: number | undefined;
  readonly encoder: EncoderPort | undefined;
  dispose(): Promise<void>;
}

/** Over open sessions; `file` is what diagnostics call the bundle. */
export function openGraphs(
  ort: OrtModule,
  sessions: ReadonlyMap<string, Session>,
  file: string,
  length: number | undefined,
): OpenGraphs {
  /** Outputs of @filters (run once) and of @time (run once for every level), for graphs that take them. */
  const supplied = new Map<string, Promise<Readonly<Record<string, OrtTensor>>>>();
  /** Outputs of @encode, once for every encoder's output. */
  const encoded = new WeakMap<HostArray, Promise<Readonly<Record<string, OrtTensor>>>>();
  const supply = (name: string, values: Values, batch: number) => {
    const encode = sessions.get("encode");
    if (encode?.graph.outputs.some((port) => port.name === name)) {
      const encoder = values.encoder ?? noEncoder();
      const outputs = encoded.get(encoder) ?? run(encode, { encoder }, batch);
      encoded.set(encoder, outputs);
      return outputs.then((all) => all[name]!);
    }
    if (name.startsWith("encoder")) noEncoder();
    for (const supplier of ["filters", "time"]) {
      const session = sessions.get(supplier);
      if (!session?.graph.outputs.some((port) => port.name === name)) continue;
      // @step takes one row of the table of @time: all rows of a batch are at the same level.
      const key = supplier === "time" ? `time ${values.level?.[0]}` : supplier;
      if (!supplied.has(key)) supplied.set(key, run(session, values, 1));
      return supplied.get(key)!.then((outputs) => outputs[name]!);
    }
    return fail("bundle/unknown-input", `a graph takes "${name}", which this runtime cannot give`, {
      file,
      help: "use the version of dlmc that wrote the bundle",
    });
  };

  async function run({ graph, session }: Session, values: Values, batch: number) {
    const feeds: Record<string, OrtTensor> = {};
    for (const port of graph.inputs) {
      const value = values[port.name];
      feeds[port.name] =
        value === undefined
          ? await supply(port.name, values, batch)
          : toTensor(ort, port, fitted(value, shapeOf(port, batch, length)), shapeOf(port, batch, length));
    }
    return session.run(feeds);
  }

  return {
    need: (name) =>
      sessions.get(name) ??
      fail("bundle/missing-graph", `the bundle has no graph "${name}"`, {
        file,
        help: "compile a whole model",
      }),
    has: (name) => sessions.has(name),
    port: (ports, name) => portOf(ports, name, file),
    known: (extent, what) =>
      typeof extent === "number"
        ? extent
        : fail("bundle/length", `the bundle does not fix its ${what}`, {
            file,
            help: "say which length to load",
          }),
    run,
    length,
    encoder: encoderPort(new Map([...sessions].map(([name, { graph }]) => [name, graph]))),
    async dispose() {
      for (const { session } of sessions.values()) await session.release();
    },
  };
}

function portOf(ports: readonly ManifestPort[], name: string, file: string): ManifestPort {
  return (
    ports.find((port) => port.name === name) ??
    fail("bundle/manifest", `a graph of the manifest lacks the port "${name}"`, { file })
  );
}

/** Whether the graph is told the class of each text. */
export function takesClass({ graph }: Session): boolean {
  return graph.inputs.some(({ name }) => name === "class");
}

/** A port's shape with the batch and the length put in for their names. */
export function shapeOf(port: ManifestPort, batch: number, length: number | undefined): readonly number[] {
  return port.shape.map((extent) =>
    typeof extent === "number" ? extent : extent === "L" && length !== undefined ? length : batch,
  );
}

/** Numbers that hold for every text or position, over and over for ports that take a row of each. */
function fitted(value: HostArray, shape: readonly number[]): HostArray {
  const size = shape.reduce((n, extent) => n * extent, 1);
  const few = shape.length <= 2 && value.length < size;
  return few ? repeated([...value], size) : value;
}
