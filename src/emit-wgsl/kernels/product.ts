// A matrix product as its kernels see it: sizes, and elements by their matrix indices.

import type { KernelWriter } from "../writer.js";

/** A product y[z, m, n] = sum_k a[z, m, k] b[z, k, n] as the tiled kernel sees it. */
export interface Product {
  readonly name: string;
  readonly comment: readonly string[];
  readonly batch: number;
  readonly m: number;
  readonly k: number;
  readonly n: number;
  /** b is stored [n, k]: its vectors along k are neighbours in memory. */
  readonly transposed: boolean;
  open(lanes: 1 | 4, stores: 1 | 4): Ends;
}

/** What the tiled kernel reads and writes: elements by their matrix indices. */
export interface Ends {
  readonly writer: KernelWriter;
  a(z: string, m: string, k: string, lanes: 1 | 4): string;
  /** Lanes run along k when transposed, else along n. */
  b(z: string, k: string, n: string, lanes: 1 | 4): string;
  store(z: string, m: string, n: string, lanes: 1 | 4, value: string): void;
}
