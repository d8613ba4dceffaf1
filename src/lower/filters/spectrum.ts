// Filters given by their spectrum (Rao et al. 2021, "Global Filter Networks for Image Classification", GFNet): a product
// with rfft(x) is a circular convolution with irfft of the stored numbers.

import type { SpectrumFilter } from "../../description/description.js";
import { ComplexOps } from "../complex.js";
import type { GraphContext, Scope } from "../context.js";
import { arrange, type Taps } from "./layout.js";

export function lowerSpectrum(c: GraphContext, scope: Scope, filter: SpectrumFilter): Taps {
  const { b } = c;
  const { length } = filter;
  const bins = Math.floor(length / 2) + 1;
  const stored = c.parameter(scope, "spectrum", [bins, filter.groups, 2], "residues");
  const { re, im } = new ComplexOps(c).parts(stored);
  const back = b.emit("dft_matrix", {}, { length, bins, direction: "inverse" });
  const both = b.emit("concat", { xs: [re, im] }, { axis: 0 }, "spectrum");
  return arrange(c, filter, b.emit("matmul", { a: back, b: both }, {}, "taps"), undefined);
}
