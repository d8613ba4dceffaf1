// Spectra of taps for the exporter's graph, and layout changes of its inputs.

import { fft } from "../dist/ir/fft/mixed-radix.js";

/** rfft over `points` of every channel of taps [N, D]: re and im as [D, points/2 + 1]. */
export function rfftOf(taps, length, channels, points) {
  const bins = Math.floor(points / 2) + 1;
  const re = new Float32Array(channels * bins);
  const im = new Float32Array(channels * bins);
  const line = new Float64Array(2 * points);
  for (let c = 0; c < channels; c++) {
    for (let t = 0; t < length; t++) line[2 * t] = taps[t * channels + c];
    const spectrum = fft(line);
    for (let k = 0; k < bins; k++) {
      re[c * bins + k] = spectrum[2 * k];
      im[c * bins + k] = spectrum[2 * k + 1];
    }
  }
  return { re, im };
}

/** [B, rows, columns] -> [B, columns, rows]. */
export function swapped(x, batch, rows, columns) {
  const y = new Float32Array(x.length);
  for (let b = 0; b < batch; b++)
    for (let r = 0; r < rows; r++)
      for (let c = 0; c < columns; c++) y[(b * columns + c) * rows + r] = x[(b * rows + r) * columns + c];
  return y;
}

/** max |a - b| / max |b|. */
export function largestError(a, b) {
  let difference = 0;
  let size = 0;
  for (let i = 0; i < b.length; i++) {
    difference = Math.max(difference, Math.abs(a[i] - b[i]));
    size = Math.max(size, Math.abs(b[i]));
  }
  return difference / size;
}
