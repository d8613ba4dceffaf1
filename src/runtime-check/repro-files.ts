// A repro as a directory that another person can run: written whole or not at all, and read back for a check.

import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { Module } from "../ir/graph.js";
import { parseModule } from "../ir/parse.js";
import { printModule } from "../ir/print.js";
import { type Element, type Tensor, tensor } from "../ir/tensor.js";
import { typeText } from "../ir/type.js";
import { fail } from "../support/diagnostic.js";
import { encodeHalf } from "../support/half.js";
import type { Dtype } from "../weights/dtypes.js";
import { openCheckpoint } from "../weights/open.js";
import { encodeSafetensors, type TensorToWrite } from "../weights/writer.js";
import type { InputOptions } from "./inputs.js";
import { portNames } from "./isolate.js";
import type { Repro } from "./repro.js";
import { stored } from "./stored.js";

/**
 * Writes a repro to a directory that does not exist yet, by renaming a finished one.
 * Throws `check/repro-exists`.
 */
export function writeRepro(repro: Repro, directory: string): void {
  mkdirSync(dirname(directory), { recursive: true });
  const temporary = mkdtempSync(join(dirname(directory), `.${basename(directory)}-`));
  try {
    const write = (file: string, tensors: Readonly<Record<string, Tensor>>): void =>
      writeFileSync(join(temporary, file), encodeSafetensors(Object.entries(tensors).map(toWrite)));
    writeFileSync(join(temporary, "op.ir"), printModule(repro.module));
    write("weights.safetensors", repro.weights);
    write("inputs.safetensors", repro.inputs);
    write("expected.safetensors", repro.expected);
    if (repro.actual !== undefined) write("actual.safetensors", repro.actual);
    writeFileSync(join(temporary, "README.md"), repro.readme);
    renameSync(temporary, directory);
  } catch (error) {
    rmSync(temporary, { recursive: true, force: true });
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "ENOTEMPTY" || code === "EEXIST" || code === "ENOTDIR")
      fail("check/repro-exists", `${directory} is there already`, {
        help: "name a directory that does not exist",
      });
    throw error;
  }
}

/** Reads what `writeRepro` wrote, ready for `checkModule`. Throws `check/no-repro` and `check/repro-inputs`. */
export function readRepro(directory: string): { readonly module: Module; readonly inputs: InputOptions } {
  if (!existsSync(join(directory, "op.ir"))) refuseDirectory(directory);
  const weights = tensorsIn(join(directory, "weights.safetensors"));
  const file = join(directory, "op.ir");
  const module = parseModule(readFileSync(file, "utf8"), {
    file,
    weights: { has: (name) => Object.hasOwn(weights, name), read: (name) => weights[name]! },
  });
  const inputs = tensorsIn(join(directory, "inputs.safetensors"));
  const [graph] = module.graphs;
  if (graph === undefined)
    return fail("check/repro-inputs", `${file} has no graph`, { file, help: "write the repro again" });
  const given = Object.fromEntries(
    graph.inputs.map((value) => {
      const name = portNames(graph).get(value)!;
      const { element, shape: extents } = value.type;
      const stored = Object.hasOwn(inputs, name) ? inputs[name] : undefined;
      const shape = element === "c64" ? stored?.shape.slice(0, -1) : stored?.shape;
      const fits =
        shape?.length === extents.length && extents.every(({ value: n }, i) => (n ?? shape[i]) === shape[i]);
      if (stored === undefined || shape === undefined || !fits)
        return fail("check/repro-inputs", `inputs.safetensors has no ${typeText(value.type)} named ${name}`, {
          file: join(directory, "inputs.safetensors"),
          help: "write the repro again",
        });
      return [value.hint!, { element, shape, data: stored.data }];
    }),
  );
  return { module, inputs: { given } };
}

function refuseDirectory(directory: string): never {
  const has = (file: string): boolean => existsSync(join(directory, file));
  const help = has("model.json")
    ? `name ${join(directory, "model.json")}`
    : has("manifest.json")
      ? "name the description it was compiled from: a check compiles it itself"
      : "name a model.json, or a directory that --repro wrote";
  fail("check/no-repro", `${directory} is a directory without op.ir, so no repro of a check`, { help });
}

const elements: Partial<Record<Dtype, Element>> = { F16: "f16", I32: "i32", BOOL: "bool" };

function tensorsIn(path: string): Record<string, Tensor> {
  const checkpoint = openCheckpoint(path);
  return Object.fromEntries(
    [...checkpoint.names()].map((name) => {
      const { dtype, shape } = checkpoint.info(name)!;
      return [name, tensor(elements[dtype] ?? "f32", shape, checkpoint.read(name))];
    }),
  );
}

/** Reals as F64, so that the reference loses nothing; halves, integers and booleans as they are. */
function toWrite([name, { element, shape, data }]: [string, Tensor]): TensorToWrite {
  const packed = (dtype: Dtype, array: ArrayBufferView): TensorToWrite => ({
    name,
    dtype,
    shape: element === "c64" ? [...shape, 2] : shape,
    bytes: () => new Uint8Array(array.buffer, array.byteOffset, array.byteLength),
  });
  switch (element) {
    case "i32":
      return packed("I32", Int32Array.from(data));
    case "bool":
      return packed("BOOL", Uint8Array.from(data));
    case "f16":
      return data.every((v) => Object.is(v, stored({ element, shape, data: Float64Array.of(v) }).data[0]))
        ? packed("F16", Uint16Array.from(data, encodeHalf))
        : packed("F64", data);
    default:
      return packed("F64", data);
  }
}
