// Which opset and IR version a file may use: when operators changed, and what each ONNX Runtime release reads.
import { fail } from "../../support/diagnostic.js";
import { schemaVersions } from "./generated/schemas.js";

const versionsOf: ReadonlyMap<string, readonly number[]> = new Map(
  schemaVersions
    .trim()
    .split("\n")
    .map((line) => {
      const [name, ...versions] = line.split(" ");
      return [name!, versions.map(Number)];
    }),
);

/**
 * The opset in which the definition of `op` that is in force at `opset` appeared; `undefined` when ONNX has no
 * such operator at that opset. Operators of other domains have one definition, version 1.
 */
export function sinceVersion(domain: string, op: string, opset: number): number | undefined {
  if (domain !== "") return 1;
  return versionsOf.get(op)?.findLast((version) => version <= opset);
}

export interface RuntimeRelease {
  /** `1.18`. */
  readonly release: string;
  readonly opset: number;
  readonly irVersion: number;
}

/**
 * Newest opset and IR version that a release of ONNX Runtime reads: the ONNX release its build files pin, and
 * for 1.30 a probe. A release between two rows is treated as the older one.
 */
export const runtimeReleases: readonly RuntimeRelease[] = [
  { release: "1.14", opset: 18, irVersion: 8 },
  { release: "1.15", opset: 19, irVersion: 9 },
  { release: "1.17", opset: 20, irVersion: 9 },
  { release: "1.18", opset: 21, irVersion: 10 },
  { release: "1.21", opset: 22, irVersion: 10 },
  { release: "1.23", opset: 23, irVersion: 11 },
  { release: "1.24", opset: 24, irVersion: 12 },
  { release: "1.30", opset: 26, irVersion: 13 },
];

/** Releases older than the oldest row would need forms of the reductions that ONNX replaced in opset 18. */
export const oldestRelease = runtimeReleases[0]!.release;
/** What `--min-ort` is when nobody says: the first release that reads node metadata (IR 10). */
export const defaultRelease = "1.18";
/** The opset every file has at least; all forms that the lowerings use are valid from here on. */
export const leastOpset = 18;
/**
 * The opset of files that must run everywhere. Newer definitions of Equal, Pad, ReduceMax, Sin, Cos, Identity and
 * Loop (opsets 19 to 23) have no CUDA kernel in the table, while ONNX Runtime fuses the opset 18 formulas of
 * Gelu and RMSNormalization into the same kernels.
 */
export const portableOpset = 18;
const leastIrVersion = 8;
/** Node metadata (`metadata_props` of NodeProto) exists from this IR version on. */
export const nodeMetadataIrVersion = 10;

/** What may be emitted for ONNX Runtime `release` (`1.20` or `1.20.1`) and newer. Throws `onnx/min-ort`. */
export function limitsFor(release: string): RuntimeRelease {
  const match = /^(\d+)\.(\d+)(?:\.\d+)?$/.exec(release);
  if (match === null) {
    fail("onnx/min-ort", `expected an ONNX Runtime release such as 1.20, found "${release}"`, {
      help: `write --min-ort ${defaultRelease}`,
    });
  }
  const order = (text: string) => {
    const [major, minor] = text.split(".").map(Number);
    return major! * 1000 + minor!;
  };
  const found = runtimeReleases.findLast((row) => order(row.release) <= order(release));
  if (found === undefined) {
    fail(
      "onnx/min-ort",
      `ONNX Runtime ${release} is older than ${oldestRelease}, the oldest dlmc can emit for`,
      {
        help: `write --min-ort ${oldestRelease}, or newer`,
      },
    );
  }
  return found;
}

/** The IR version to write: node metadata when the oldest runtime reads it, else the least that carries `opset`. */
export function irVersionFor(opset: number, limits: RuntimeRelease): number {
  const needed = runtimeReleases.find((row) => row.opset >= opset)?.irVersion ?? limits.irVersion;
  const wanted = Math.max(needed, nodeMetadataIrVersion, leastIrVersion);
  return Math.min(wanted, limits.irVersion);
}
