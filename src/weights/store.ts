// What the rest of dlmc sees of weights: tensors under canonical names, read one at a time.

import type { Tensor } from "../ir/tensor.js";
import { bug } from "../support/diagnostic.js";
import type { Dtype } from "./dtypes.js";

/** A parameter that the model needs; lowering makes the list. */
export interface ParameterDeclaration {
  /** Canonical name, e.g. `blocks.0.mixer.in_proj.weight`. */
  readonly name: string;
  readonly shape: readonly number[];
  /** JSON pointer of the description's part that demands it. */
  readonly pointer: string;
  /** What the values are, for synthetic weights; guessed from the name when absent. */
  readonly init?: Init;
  /** Factor on the deviation of synthetic values, e.g. 1/sqrt(T) for the last layer of a filter network. */
  readonly gain?: number;
}

/** Roles of parameters; synthetic.ts says the distribution of each. */
export type Init =
  | "linear"
  | "bias"
  | "norm"
  | "embedding"
  | "positions"
  | "taps"
  | "skip"
  | "frequency"
  | "decay"
  | "features"
  | "times"
  | "modulation"
  | "log_decay"
  | "log_poles"
  | "turns"
  | "residues"
  | "step";

export interface ParameterInfo {
  /** Element type in the checkpoint; what `read` gives is exact in any case. */
  readonly dtype: Dtype;
  /** Canonical shape, after the transforms of the map. */
  readonly shape: readonly number[];
}

/** Parameters by canonical name. */
export interface WeightStore {
  names(): Iterable<string>;
  info(name: string): ParameterInfo | undefined;
  /** The values as stored (an F64 checkpoint is not rounded). A name without `info` is a mistake of dlmc. */
  read(name: string): Tensor;
}

/** A store of tensors in memory. */
export function memoryStore(tensors: Readonly<Record<string, Tensor>>): WeightStore {
  return {
    names: () => Object.keys(tensors),
    info: (name) => {
      const found = Object.hasOwn(tensors, name) ? tensors[name] : undefined;
      return found === undefined ? undefined : { dtype: "F64", shape: found.shape };
    },
    read: (name) => (Object.hasOwn(tensors, name) ? tensors[name]! : unknown(name)),
  };
}

/** The first store that has a name answers for it. */
export function layeredStore(...stores: readonly WeightStore[]): WeightStore {
  const owner = (name: string) => stores.find((store) => store.info(name) !== undefined);
  return {
    names: () => new Set(stores.flatMap((store) => [...store.names()])),
    info: (name) => owner(name)?.info(name),
    read: (name) => (owner(name) ?? unknown(name)).read(name),
  };
}

/** For reads of names that no declaration has. */
export function unknown(name: string): never {
  return bug(`parameter ${name} was read but never declared`);
}
