// "Did you mean": the known name nearest to an unknown one.

/**
 * The candidate at the least edit distance from `word`, or undefined when none is near: at most a third of
 * the longer word may differ. Case and `_`, `-` or spaces do not count; a beginning of the other word is near.
 */
export function suggest(word: string, candidates: Iterable<string>): string | undefined {
  let best: string | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const candidate of candidates) {
    const [a, b] = [plain(word), plain(candidate)];
    const cut = Math.min(a.length, b.length) >= 4 && (a.startsWith(b) || b.startsWith(a));
    // What was cut short is nearer than any misspelling: "gelu" means "gelu_erf" before "relu".
    const distance = a === b ? 0 : cut ? (b.startsWith(a) ? 0.5 : 1) : editDistance(a, b);
    const allowed = Math.max(1, Math.floor(Math.max(word.length, candidate.length) / 3));
    if (distance <= allowed && distance < least) {
      least = distance;
      best = candidate;
    }
  }
  return best;
}

/** `did you mean "x"?`, or the list of what is known when nothing is near. */
export function suggestion(word: string, candidates: readonly string[]): string {
  const near = suggest(word, candidates);
  if (near !== undefined) return `did you mean "${near}"?`;
  return `known: ${candidates.map((candidate) => `"${candidate}"`).join(", ")}`;
}

function plain(word: string): string {
  return word.toLowerCase().replace(/[-_ ]/g, "");
}

/** Insertions, deletions, substitutions and swaps of neighbours, each at cost one. */
export function editDistance(a: string, b: string): number {
  // Names are short; a long text is no misspelling of one, and the table would be large.
  if (Math.max(a.length, b.length) > 100) return Number.POSITIVE_INFINITY;
  const rows = Array.from({ length: a.length + 1 }, (_, i) => {
    const row = new Array<number>(b.length + 1).fill(0);
    row[0] = i;
    return row;
  });
  for (let j = 0; j <= b.length; j++) rows[0]![j] = j;
  for (let i = 1; i <= a.length; i++) {
    for (let j = 1; j <= b.length; j++) {
      const differs = a[i - 1] === b[j - 1] ? 0 : 1;
      let cost = Math.min(rows[i - 1]![j]! + 1, rows[i]![j - 1]! + 1, rows[i - 1]![j - 1]! + differs);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) cost = Math.min(cost, rows[i - 2]![j - 2]! + 1);
      rows[i]![j] = cost;
    }
  }
  return rows[a.length]![b.length]!;
}
