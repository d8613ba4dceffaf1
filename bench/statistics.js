// Medians and spreads of repeated timings.

/** Median, minimum and the 10th and 90th percentile of some numbers. */
export function summary(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (q) => {
    const place = q * (sorted.length - 1);
    const below = Math.floor(place);
    const above = sorted[Math.min(below + 1, sorted.length - 1)];
    return sorted[below] + (place - below) * (above - sorted[below]);
  };
  return { median: at(0.5), min: sorted[0], p10: at(0.1), p90: at(0.9) };
}

/** Ratios a/b round by round: both sides of a round met the same disturbances. */
export function ratios(a, b) {
  return summary(a.map((value, i) => value / b[i]));
}
