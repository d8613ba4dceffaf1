// A case in the form of the golden data, made by a direct computation: float64 and float32 runs of the same formula.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { caseText } from "../../../src/conformance/goldens/report.js";
import { runCase } from "../../../src/conformance/goldens/run.js";
import type { Dtype } from "../../../src/weights/dtypes.js";
import { type TensorToWrite, writeSafetensors } from "../../../src/weights/writer.js";
import { exact, type Rounding, single, type Weight, type Weights } from "./arithmetic.js";

export interface CaseParts {
  readonly id: string;
  readonly system: string;
  readonly args: object;
  readonly architecture?: object;
  readonly weights?: Weights;
  /** in.*, draw.* and tables of one precision. */
  readonly given: Readonly<Record<string, Weight>>;
  /** Tensors of tokens and indices. */
  readonly integers?: Readonly<Record<string, Weight>>;
  /** Each in float64 and float32; the difference becomes the stated gap. */
  readonly results?: Readonly<
    Record<
      string,
      { readonly shape: readonly number[]; readonly f64: ArrayLike<number>; readonly f32: ArrayLike<number> }
    >
  >;
  /** Tables in float64. */
  readonly tables?: Readonly<Record<string, ArrayLike<number>>>;
}

/** Writes `<parent>/<id>` and gives its path. */
export function writeCase(parent: string, parts: CaseParts): string {
  const directory = join(parent, parts.id);
  mkdirSync(directory, { recursive: true });
  const gaps = Object.fromEntries(
    Object.entries(parts.results ?? {}).map(([name, { f64, f32 }]) => [
      name,
      { max_abs: Array.from(f64).reduce((most, value, i) => Math.max(most, Math.abs(value - f32[i]!)), 0) },
    ]),
  );
  writeFileSync(
    join(directory, "case.json"),
    JSON.stringify({
      schema: "dlmc-golden/1",
      id: parts.id,
      system: parts.system,
      args: parts.args,
      architecture: parts.architecture ?? {},
      precision: { fp32_vs_fp64: gaps },
    }),
  );
  if (parts.weights !== undefined)
    save(
      join(directory, "weights.safetensors"),
      Object.entries(parts.weights).map(([name, { shape, data }]) => packed(name, "F32", shape, data)),
    );
  save(join(directory, "tensors.safetensors"), [
    ...Object.entries(parts.given).map(([name, { shape, data }]) => packed(name, "F32", shape, data)),
    ...Object.entries(parts.integers ?? {}).map(([name, { shape, data }]) =>
      packed(name, "I64", shape, data),
    ),
    ...Object.entries(parts.tables ?? {}).map(([name, data]) => packed(name, "F64", [data.length], data)),
    ...Object.entries(parts.results ?? {}).map(([name, { shape, f64 }]) =>
      packed(`${name}.f64`, "F64", shape, f64),
    ),
  ]);
  return directory;
}

/** A result in both precisions, as a case states it. */
export function inBoth(shape: readonly number[], of: (round: Rounding) => number[]) {
  return { shape, f64: of(exact), f32: of(single) };
}

/** Runs a case: "pass" when every recorded tensor was compared and agrees, else the report. */
export async function verdict(directory: string): Promise<string> {
  const report = await runCase(directory);
  return report.status === "pass" && report.notCompared.length === 0 ? "pass" : caseText(report);
}

function packed(
  name: string,
  dtype: Dtype,
  shape: readonly number[],
  data: ArrayLike<number>,
): TensorToWrite {
  const bytes = (): Uint8Array => {
    if (dtype === "F32") return new Uint8Array(Float32Array.from(data).buffer);
    if (dtype === "F64") return new Uint8Array(Float64Array.from(data).buffer);
    return new Uint8Array(BigInt64Array.from(Array.from(data, (value) => BigInt(value))).buffer);
  };
  return { name, dtype, shape, bytes };
}

function save(file: string, tensors: readonly TensorToWrite[]): void {
  const parts: Uint8Array[] = [];
  writeSafetensors({ write: (bytes) => void parts.push(bytes.slice()) }, tensors);
  writeFileSync(file, Buffer.concat(parts));
}
