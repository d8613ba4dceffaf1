// "Did you mean" for tensor names. These are dotted paths whose parts are renamed, prefixed or dropped from
// one code base to the next, so they are compared part by part and not letter by letter.

/**
 * Up to `limit` candidates that look like `name`, best first. Two names are as alike as their longest
 * common subsequence of parts (equal part: 1, parts that share a beginning: less), relative to the longer.
 */
export function nearestNames(name: string, candidates: Iterable<string>, limit = 3): string[] {
  const scored: { candidate: string; score: number }[] = [];
  const parts = name.split(".");
  for (const candidate of candidates) {
    const score = likeness(parts, candidate.split("."));
    if (score >= 0.5) scored.push({ candidate, score });
  }
  scored.sort((a, b) => b.score - a.score || (a.candidate < b.candidate ? -1 : 1));
  return scored.slice(0, limit).map(({ candidate }) => candidate);
}

function likeness(a: readonly string[], b: readonly string[]): number {
  let above = new Array<number>(b.length + 1).fill(0);
  for (const part of a) {
    const row = [0];
    for (const [j, other] of b.entries())
      row.push(Math.max(above[j + 1]!, row[j]!, above[j]! + partLikeness(part, other)));
    above = row;
  }
  return above[b.length]! / Math.max(a.length, b.length);
}

/** 1 for equal parts, else the share of the longer part that is a common beginning; numbers never match half. */
function partLikeness(a: string, b: string): number {
  if (a === b) return 1;
  if (/^\d+$/.test(a) || /^\d+$/.test(b)) return 0;
  let common = 0;
  while (common < a.length && a[common] === b[common]) common++;
  return (0.9 * common) / Math.max(a.length, b.length);
}

/** The name with every number replaced by {i}, {j}, ...: one pattern for the same tensor of all blocks. */
export function numberPattern(name: string): string {
  const variables = ["i", "j", "k", "l", "m", "n"];
  let next = 0;
  return name
    .split(".")
    .map((part) => (/^\d+$/.test(part) && next < variables.length ? `{${variables[next++]}}` : part))
    .join(".");
}
