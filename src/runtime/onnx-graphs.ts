// What the runners over a bundle's ONNX sessions are given.

import type { ManifestGraph, ManifestPort } from "./manifest.js";
import type { OrtSession, OrtTensor } from "./ort.js";
import type { HostArray } from "./ort-tensor.js";
import type { EncoderPort } from "./step-runner.js";

/** A graph that is open. */
export interface Session {
  readonly graph: ManifestGraph;
  readonly session: OrtSession;
}

/** What a graph is fed, by the names of its inputs. */
export type Values = Readonly<Record<string, HostArray>>;

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
