// The header of a safetensors file: 8 bytes of length N (u64), N bytes of JSON, then the data.
// Reading is at least as strict as the format's own library (README of huggingface/safetensors,
// section Format): names are unique, and tensors cover the data without holes or overlap.

import { DlmcError, Report } from "../support/diagnostic.js";
import { joinPointer } from "../support/pointer.js";
import { foreignFile } from "./foreign.js";
import { checkEntry, type StoredTensor } from "./header-entry.js";
import { isRecord, parseHeaderJson, show } from "./header-json.js";

/** The format's own limit for the JSON header, in bytes. */
export const maxHeaderBytes = 100_000_000;

export interface Header {
  /** In the order of the data. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly metadata: Readonly<Record<string, string>>;
  /** Byte offset where the data begins. */
  readonly dataBegin: number;
}

/**
 * Header length N from the first bytes of a file (give at least 64 when the file has them: they are
 * also used to recognise what else the file may be). Throws one diagnostic when N is impossible.
 */
export function headerLength(start: Uint8Array, size: number, file: string): number {
  const foreign = foreignFile(start);
  const report = new Report(file);
  if (foreign !== undefined) {
    report.error("safetensors/not-safetensors", `this is ${foreign.what}, not a safetensors file`, {
      offset: 0,
      help: foreign.help,
    });
  } else if (size < 8) {
    report.error("safetensors/truncated", `the file has ${size} bytes; the header length alone takes 8`, {
      offset: 0,
      help: "the download or the copy stopped early; fetch the file again",
    });
  }
  report.throwIfErrors();
  const view = new DataView(start.buffer, start.byteOffset, start.byteLength);
  const length = view.getBigUint64(0, true);
  if (length > BigInt(maxHeaderBytes)) {
    report.error(
      "safetensors/header-length",
      `the header length at byte 0 is ${length}; the format allows at most ${maxHeaderBytes}`,
      { offset: 0, help: "the first bytes are damaged, or this is another kind of file" },
    );
  } else if (length < 2n) {
    report.error(
      "safetensors/header-length",
      `the header length at byte 0 is ${length}; the smallest header, {}, has 2 bytes`,
      { offset: 0, help: "the first bytes are damaged; fetch or convert the file again" },
    );
  } else if (8n + length > BigInt(size)) {
    report.error(
      "safetensors/truncated",
      `the header is said to end at byte ${8n + length}, but the file ends at byte ${size}`,
      { offset: 0, help: "the download or the copy stopped early; fetch the file again" },
    );
  }
  report.throwIfErrors();
  return Number(length);
}

/**
 * Parses and checks the JSON header. `size` is the size of the whole file.
 * Throws a `DlmcError` with every problem found (codes `safetensors/...`).
 */
export function parseHeader(json: Uint8Array, size: number, file: string): Header {
  const report = new Report(file);
  const root = parseObject(decodeUtf8(json, report), report);
  const dataBegin = 8 + json.byteLength;
  const metadata = checkMetadata(root, report);
  const tensors: StoredTensor[] = [];
  for (const [name, entry] of Object.entries(root)) {
    if (name === "__metadata__") continue;
    const tensor = checkEntry(name, entry, { file, dataBegin, report });
    if (tensor !== undefined) tensors.push(tensor);
  }
  // A bad entry leaves a hole where its data are: report the cause, not its shadow.
  report.throwIfErrors();
  tensors.sort((a, b) => a.begin - b.begin || a.bytes - b.bytes || (a.name < b.name ? -1 : 1));
  checkCover(tensors, dataBegin, size, report);
  report.throwIfErrors();
  return { tensors: new Map(tensors.map((tensor) => [tensor.name, tensor])), metadata, dataBegin };
}

function decodeUtf8(json: Uint8Array, report: Report): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(json);
  } catch {
    // Only the message needs the exact place, so only here is it looked for.
    const lossy = new TextDecoder("utf-8", { ignoreBOM: true }).decode(json);
    const kept = lossy.slice(0, lossy.indexOf("\uFFFD"));
    const offset = 8 + new TextEncoder().encode(kept).byteLength;
    report.error("safetensors/utf8", `the header is not UTF-8: invalid byte at byte ${offset} of the file`, {
      offset,
      help: "the header is damaged; fetch or convert the file again",
    });
    throw new DlmcError(report.diagnostics);
  }
}

function parseObject(text: string, report: Report): Record<string, unknown> {
  const damaged = { help: "the header is damaged; fetch or convert the file again" };
  if (!text.startsWith("{"))
    report.error(
      "safetensors/json",
      `the header must begin with \`{\` at byte 8, found ${JSON.stringify(text[0] ?? "")}`,
      { offset: 8, ...damaged },
    );
  report.throwIfErrors();
  const json = parseHeaderJson(text);
  if ("value" in json) return json.value as Record<string, unknown>;
  // The place is exact for ASCII headers, which is what every writer makes.
  const offset = 8 + json.offset;
  if (json.problem === "duplicate")
    report.error("safetensors/duplicate", `the header names \`${json.key}\` twice; names must be unique`, {
      offset,
      help: "write the file again with one tensor per name",
    });
  else {
    const what = json.problem === "nesting" ? "values nested too deep" : "unexpected text";
    report.error("safetensors/json", `the header is not valid JSON: ${what} at byte ${offset}`, {
      offset,
      ...damaged,
    });
  }
  throw new DlmcError(report.diagnostics);
}

function checkMetadata(root: Record<string, unknown>, report: Report): Record<string, string> {
  const value = Object.hasOwn(root, "__metadata__") ? root.__metadata__ : {};
  const isObject = isRecord(value);
  const bad = isObject ? Object.entries(value).find(([, text]) => typeof text !== "string") : undefined;
  if (isObject && bad === undefined) return value as Record<string, string>;
  const found = isObject ? `\`${bad![0]}\` is ${show(bad![1])}` : `it is ${show(value)}`;
  report.error("safetensors/metadata", `__metadata__ must map names to strings, but ${found}`, {
    pointer: bad === undefined ? "/__metadata__" : joinPointer("/__metadata__", bad[0]),
    help: "write numbers and objects as JSON text in a string",
  });
  return {};
}

/** Tensors sorted by offset must follow each other from the first data byte to the last byte of the file. */
function checkCover(tensors: readonly StoredTensor[], dataBegin: number, size: number, report: Report): void {
  const outside = tensors.filter((tensor) => tensor.begin + tensor.bytes > size);
  if (outside.length > 0) {
    const first = outside[0]!;
    const others = outside.length > 1 ? ` (and ${outside.length - 1} more tensors end outside)` : "";
    report.error(
      "safetensors/outside",
      `tensor \`${first.name}\` ends at byte ${first.begin + first.bytes}, but the file ends at byte ${size}${others}`,
      {
        pointer: joinPointer("", first.name),
        help: "the download or the copy stopped early; fetch the file again",
      },
    );
    return;
  }
  let end = dataBegin;
  let previous: StoredTensor | undefined;
  for (const tensor of tensors) {
    const pointer = joinPointer("", tensor.name);
    const help = "write the file again with a safetensors library; the format forbids gaps and shared bytes";
    if (tensor.begin > end)
      report.error(
        "safetensors/hole",
        `bytes ${end} to ${tensor.begin} before tensor \`${tensor.name}\` belong to no tensor`,
        { pointer, help },
      );
    else if (tensor.begin < end)
      report.error(
        "safetensors/overlap",
        `tensor \`${tensor.name}\` begins at byte ${tensor.begin}, inside \`${previous?.name}\`, which ends at byte ${end}`,
        { pointer, help },
      );
    if (tensor.begin + tensor.bytes > end) {
      end = tensor.begin + tensor.bytes;
      previous = tensor;
    }
  }
  if (end < size && !report.hasErrors)
    report.error(
      "safetensors/hole",
      `the last tensor ends at byte ${end}, but the file ends at byte ${size}: ${size - end} bytes belong to no tensor`,
      { offset: end, help: "the file has foreign data appended or a tensor lost its entry; fetch it again" },
    );
}
