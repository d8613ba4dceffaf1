// One entry of a safetensors header: {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}.

import type { Report } from "../support/diagnostic.js";
import { joinPointer } from "../support/pointer.js";
import { type Dtype, dtypeBytes, dtypes, isDtype, unsupportedDtypes } from "./dtypes.js";
import { isRecord, show } from "./header-json.js";

/** A tensor of a file: `begin` is a byte offset from the start of the FILE, ready for ONNX external data. */
export interface StoredTensor {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly file: string;
  readonly begin: number;
  readonly bytes: number;
}

interface Context {
  readonly file: string;
  /** Byte offset of the data in the file. */
  readonly dataBegin: number;
  readonly report: Report;
}

const fields = ["dtype", "shape", "data_offsets"];
const damaged = "the header is damaged or was written by a faulty tool; fetch or convert the file again";

/** Checks one entry; reports exactly one problem and returns nothing when it is malformed. */
export function checkEntry(name: string, entry: unknown, context: Context): StoredTensor | undefined {
  const pointer = joinPointer("", name);
  const error = (code: string, message: string, place = "", help = damaged): undefined => {
    context.report.error(code, `tensor \`${name}\`: ${message}`, { pointer: pointer + place, help });
  };
  if (!isRecord(entry))
    return error("safetensors/entry", `the entry must be an object, found ${show(entry)}`);
  const missing = fields.find((field) => !Object.hasOwn(entry, field));
  if (missing !== undefined) return error("safetensors/entry", `the entry has no \`${missing}\``);
  const extra = Object.keys(entry).find((key) => !fields.includes(key));
  if (extra !== undefined)
    return error("safetensors/entry", `the entry has the unknown key \`${extra}\``, joinPointer("", extra));

  const { dtype, shape, data_offsets: offsets } = entry;
  if (typeof dtype !== "string" || !isDtype(dtype)) return dtypeError(dtype, error);
  if (!Array.isArray(shape) || !shape.every(isExtent))
    return error(
      "safetensors/shape",
      `shape must be a list of integers >= 0, found ${show(shape)}`,
      "/shape",
    );
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isExtent))
    return error(
      "safetensors/offsets",
      `data_offsets must be two integers >= 0, found ${show(offsets)}`,
      "/data_offsets",
    );
  return layout(name, dtype, shape, offsets as [number, number], context, error);
}

type ReportEntry = (code: string, message: string, place?: string, help?: string) => undefined;

function dtypeError(dtype: unknown, error: ReportEntry): undefined {
  if (typeof dtype === "string" && unsupportedDtypes.includes(dtype))
    return error(
      "safetensors/dtype",
      `elements are ${dtype}, which dlmc does not read; it reads ${dtypes.join(", ")}`,
      "/dtype",
      "convert the checkpoint to BF16, F16 or F32 (8-bit floats usually come with scales to multiply)",
    );
  return error("safetensors/dtype", `unknown dtype ${show(dtype)}; known are ${dtypes.join(", ")}`, "/dtype");
}

function layout(
  name: string,
  dtype: Dtype,
  shape: readonly number[],
  [begin, end]: readonly [number, number],
  context: Context,
  error: ReportEntry,
): StoredTensor | undefined {
  if (end < begin)
    return error("safetensors/offsets", `data ends at ${end}, before its begin at ${begin}`, "/data_offsets");
  // Exact, since the product of a hostile shape may pass 2^53.
  const needed = shape.reduce((bytes, extent) => bytes * BigInt(extent), BigInt(dtypeBytes(dtype)));
  if (needed !== BigInt(end - begin))
    return error(
      "safetensors/size",
      `${dtype}[${shape.join(", ")}] takes ${needed} bytes, data_offsets [${begin}, ${end}] hold ${end - begin}`,
      "/data_offsets",
    );
  return { name, dtype, shape, file: context.file, begin: context.dataBegin + begin, bytes: end - begin };
}

function isExtent(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}
