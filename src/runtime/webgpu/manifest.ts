// What the runtime reads of a WGSL bundle's manifest.json (schema/wgsl-manifest.schema.json has every member).

import type { PlanOptions, SamplerParts } from "../../diffusion/plan.js";
import { fail } from "../../support/diagnostic.js";

/** Bytes of an arena, an input of the same graph or a tensor; of the latter two all bytes, or a part. */
export type Place =
  | { readonly arena: number; readonly offset: number; readonly bytes: number }
  | { readonly input: string; readonly offset?: number; readonly bytes?: number }
  | { readonly weight: string; readonly offset?: number; readonly bytes?: number };

export type StoredElement = "f32" | "f16" | "c64" | "i32" | "bool";

export interface WgslPort {
  readonly name: string;
  readonly element: StoredElement;
  readonly shape: readonly number[];
  readonly bytes: number;
}

export interface WgslGraph {
  readonly name: string;
  readonly length?: number;
  readonly inputBytes: number;
  readonly inputs: readonly (WgslPort & { readonly offset: number })[];
  readonly outputs: readonly (WgslPort & { readonly place: Place })[];
  readonly dispatches: readonly {
    readonly kernel: number;
    readonly bindings: readonly Place[];
    readonly grid: readonly [number, number, number];
    readonly pointer: string;
  }[];
}

export interface WgslTensor {
  readonly name: string;
  readonly offset: number;
  readonly bytes: number;
  readonly sha256: string;
}

export interface WgslManifest {
  readonly format: "dlmc-wgsl";
  readonly version: 1;
  readonly batch: number;
  readonly requires: {
    readonly limits: Readonly<Record<string, number>>;
    readonly features: readonly string[];
  };
  readonly arenas: readonly number[];
  readonly kernels: readonly {
    readonly file: string;
    readonly sha256: string;
    /** For devices with these features, best first. */
    readonly forms?: readonly {
      readonly features: readonly string[];
      readonly file: string;
      readonly sha256: string;
    }[];
    readonly bindings: readonly ("read" | "read_write")[];
  }[];
  readonly graphs: readonly WgslGraph[];
  readonly weights: {
    readonly file: string;
    readonly bytes: number;
    readonly tensors: readonly WgslTensor[];
  };
  readonly model?: { readonly name: string };
  /** The plan of the compiled number of steps, see `readPlanTable`; absent where rows alone do not say it. */
  readonly plan?: object;
  /** What `planOf` needs, with the schedule constants that came with the weights. */
  readonly sampler?: SamplerParts & {
    readonly constants?: NonNullable<PlanOptions["constants"]>;
  };
  /** The symbols and how text is read with them, for `createTokenizer`. */
  readonly vocabulary?: { readonly symbols: unknown; readonly options?: object };
}

/** Parse manifest.json. Throws `bundle/manifest` for a text that is not a manifest of this version. */
export function parseWgslManifest(text: string, file: string): WgslManifest {
  const wrong = (message: string): never =>
    fail("bundle/manifest", message, { file, help: "copy the bundle again, or compile the model again" });
  let parsed: Partial<WgslManifest> | null;
  try {
    parsed = JSON.parse(text) as Partial<WgslManifest> | null;
  } catch (error) {
    return wrong(`the manifest is not JSON: ${(error as Error).message}`);
  }
  if (parsed?.format !== "dlmc-wgsl")
    return wrong(`the manifest has format ${JSON.stringify(parsed?.format)}, not "dlmc-wgsl"`);
  if (parsed.version !== 1)
    return wrong(`the manifest has version ${JSON.stringify(parsed.version)}; this runtime reads version 1`);
  for (const list of ["graphs", "kernels", "arenas"] as const)
    if (!Array.isArray(parsed[list])) wrong(`the manifest has no list of ${list}`);
  if (!Array.isArray(parsed.weights?.tensors)) wrong("the manifest has no list of tensors");
  if (parsed.requires === undefined || typeof parsed.batch !== "number")
    wrong("the manifest does not say what it requires of a device");
  return parsed as WgslManifest;
}
