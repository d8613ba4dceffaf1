// inspect() of a WGSL bundle: the bytes that a step moves, and where every value lies while it runs.

import type { WgslGraph } from "../emit-wgsl/bundle/manifest.js";
import { defaultLimits, noFeatures } from "../emit-wgsl/limits.js";
import { type TrafficRow, trafficOf } from "../emit-wgsl/traffic.js";
import { fail } from "../support/diagnostic.js";
import { build } from "./compile.js";
import type { ModelOptions } from "./load.js";

export interface WgslInspectOptions extends ModelOptions {
  /** Texts at once; 1 by default. */
  readonly batch?: number;
}

/** What `dlmc inspect --traffic --json` prints (schema/inspect.schema.json): bytes of one run of each graph. */
export interface TrafficInspection {
  readonly traffic: readonly {
    readonly graph: string;
    readonly bytesRead: number;
    readonly bytesWritten: number;
    /** Least bytes that any fusion could move; docs/performance.md says how they are counted. */
    readonly minimum: number;
    readonly ratio: number;
    readonly rows: readonly TrafficRow[];
  }[];
}

/** A value of an arena: its bytes and the dispatches between which it lives. */
export interface MemoryRow {
  /** What the kernel that makes it calls it. */
  readonly kernel: string;
  readonly arena: number;
  readonly offset: number;
  readonly bytes: number;
  readonly first: number;
  readonly last: number;
}

/** What `dlmc inspect --memory --json` prints (schema/inspect.schema.json). */
export interface MemoryInspection {
  /** Bytes of each arena, which all graphs share. */
  readonly arenas: readonly number[];
  /** Bytes of all weights. */
  readonly weights: number;
  readonly memory: readonly {
    readonly graph: string;
    readonly dispatches: number;
    /** Bytes of all values of the arenas, had each memory of its own. */
    readonly values: number;
    /** Most bytes alive at one dispatch. */
    readonly peak: number;
    readonly rows: readonly MemoryRow[];
  }[];
}

/** Graphs that run once per step, or are all there is. */
const perStep = ["step", "denoise", "update", "block", "mixer"];

/**
 * Planned bytes of every graph that runs per step, on a device with the limits every device has.
 * Throws DlmcError as `compile` for the target wgsl does.
 */
export function inspectTraffic(options: WgslInspectOptions): TrafficInspection {
  const { planned } = buildFor(options);
  const module = planned[0]!;
  const environment = { limits: defaultLimits, features: noFeatures };
  const traffic = module.graphs
    .filter(({ name }) => perStep.includes(name))
    .map(({ name }) => ({ graph: name, ...trafficOf(module, name, environment) }));
  return { traffic };
}

/** The arenas of the bundle, and the life of every value in them. Throws DlmcError as `compile` does. */
export function inspectMemory(options: WgslInspectOptions): MemoryInspection {
  const { bundle } = buildFor(options);
  if (bundle.target !== "wgsl") return fail("inspect/target", "arenas are those of the target wgsl");
  // Hashes are of bytes, and no byte is looked at here.
  const hashes = new Map(bundle.files.weights.tensors.map(({ name }) => [name, ""]));
  const { arenas, graphs, kernels, weights } = bundle.files.manifest("", hashes);
  return {
    arenas,
    weights: weights.tensors.reduce((sum, { bytes }) => sum + bytes, 0),
    memory: graphs.map((graph) => {
      const rows = lives(graph, kernels);
      const alive = (at: number): number =>
        rows.reduce((sum, { first, last, bytes }) => sum + (first <= at && at <= last ? bytes : 0), 0);
      return {
        graph: graph.name,
        dispatches: graph.dispatches.length,
        values: rows.reduce((sum, { bytes }) => sum + bytes, 0),
        peak: graph.dispatches.reduce((most, _, at) => Math.max(most, alive(at)), 0),
        rows,
      };
    }),
  };
}

function buildFor(options: WgslInspectOptions): ReturnType<typeof build> {
  const { length, ...rest } = options;
  return build({ ...rest, target: "wgsl", ...(length !== undefined && { lengths: [length] }) });
}

type Kernels = readonly {
  readonly file: string;
  readonly bindings: readonly ("read" | "read_write")[];
}[];

/** A value is born where a dispatch writes its bytes, and lives until the last one that reads them. */
function lives({ dispatches, outputs }: WgslGraph, kernels: Kernels): MemoryRow[] {
  const rows: { -readonly [K in keyof MemoryRow]: MemoryRow[K] }[] = [];
  const holds = (row: MemoryRow, arena: number, offset: number): boolean =>
    row.arena === arena && row.offset <= offset && offset < row.offset + Math.max(1, row.bytes);
  const touch = (place: WgslGraph["outputs"][number]["place"], at: number): boolean => {
    if (!("arena" in place)) return true;
    const row = rows.findLast((each) => holds(each, place.arena, place.offset));
    if (row !== undefined) row.last = at;
    return row !== undefined;
  };
  dispatches.forEach(({ kernel, bindings }, at) => {
    const { file, bindings: accesses } = kernels[kernel]!;
    bindings.forEach((place, k) => {
      if (accesses[k] === "read") touch(place, at);
      else if ("arena" in place)
        rows.push({ kernel: file.replace(/^kernels\/|\.wgsl$/g, ""), ...place, first: at, last: at });
    });
  });
  for (const { place } of outputs) touch(place, dispatches.length);
  return rows;
}
