// A report for the terminal, and as JSON. Errors are always measured / predicted, beside what is allowed.

import { blockText, short } from "./divergence.js";
import type { CheckReport, GraphCheck, OutputCheck } from "./report-types.js";
import { type GraphSummary, nonFiniteOrigin, summarise } from "./summary.js";
import type { TrajectoryReport } from "./trajectory.js";

export { htmlReport } from "./report-html.js";

/** The report as JSON text of schema/check-report.schema.json; numbers that are not finite are spelled out. */
export function jsonReport(report: CheckReport): string {
  return `${JSON.stringify(report, spelled, 2)}\n`;
}

function spelled(_: string, value: unknown): unknown {
  return typeof value === "number" && !Number.isFinite(value) ? String(value) : value;
}

/** The report as plain text, 100 columns wide. */
export function textReport(report: CheckReport): string {
  const lines = [
    `${report.candidate} against the float64 reference${report.model === undefined ? "" : `: ${report.model}`}`,
    `errors predicted by ${report.runs} perturbed runs; functions: ${report.accuracy.name}; an honest target fails one check in ${Math.round(1 / report.falseAlarm)}`,
    "",
  ];
  if (report.passes !== undefined && report.passes.length > 0) lines.push(...passesText(report.passes), "");
  for (const graph of report.graphs) lines.push(...graphText(graph), "");
  if (report.trajectory !== undefined) lines.push(...trajectoryText(report.trajectory), "");
  lines.push(report.agrees ? "agrees" : "DISAGREES");
  return lines.join("\n");
}

function passesText(passes: NonNullable<CheckReport["passes"]>): string[] {
  const changed = passes.filter((check) => !check.agrees);
  if (changed.length === 0) return [`passes  keep the values of ${passes.length} outputs in float64`];
  return [
    "passes  CHANGE VALUES",
    ...changed.map(
      ({ graph, output, difference, predicted }) =>
        `  @${graph} ${output}: ${short(difference)} in float64, where float32 rounding would make ${short(predicted)}`,
    ),
  ];
}

function graphText(graph: GraphCheck): string[] {
  const summary = summarise(graph);
  const { isolated, cumulative, nearTies } = summary;
  const counts = [
    isolated.of > 0 ? `${isolated.passed}/${isolated.of} ops alone` : "",
    cumulative.of > 0 ? `${cumulative.passed}/${cumulative.of} values along the graph` : "",
    `${graph.outputs.filter(({ whole }) => whole !== undefined && whole.status !== "fail").length}/${graph.outputs.length} outputs`,
    nearTies > 0 ? `${nearTies} near ties` : "",
  ].filter((text) => text !== "");
  const lines = [`@${graph.name}  ${graph.agrees ? "agrees" : "DISAGREES"}  ${counts.join(", ")}`];
  for (const problem of graph.problems) lines.push(`  not run: ${problem}`);
  const found = graph.firstDivergence;
  if (found !== undefined) {
    const alone = { isolated: "alone", cumulative: "along the graph", whole: "as it ships" }[found.mode];
    lines.push(
      `  first divergence, ${alone}: ${found.op} %${found.value}${found.pointer === "" ? "" : ` (${found.pointer})`}`,
      `    ${found.message}`,
    );
  }
  const origin = nonFiniteOrigin(graph);
  if (origin !== undefined) lines.push(`  ${origin}`);
  lines.push(...outputsText(graph.outputs), ...opsText(summary), ...rangeText(summary));
  return lines;
}

function outputsText(outputs: readonly OutputCheck[]): string[] {
  const rows = outputs.flatMap(({ name, whole }) => {
    const c = whole?.comparison;
    if (whole === undefined || c === undefined) return [];
    const m = c.largest;
    const p = c.spread;
    return [
      [
        name,
        short(c.maxAbsolute),
        short(c.maxUlp),
        m === undefined ? `${c.differing} differ` : ratio(m.measured, m.predicted, m.factor),
        p === undefined ? "" : ratio(p.measured, p.predicted, p.factor),
        whole.status,
      ],
    ];
  });
  return rows.length === 0
    ? []
    : table([["output", "largest error", "ULP", "largest / predicted", "rms / predicted", ""], ...rows]);
}

function opsText({ ops }: GraphSummary): string[] {
  const rows = ops
    .filter(({ isolated, cumulative }) => isolated > 0 || cumulative > 0)
    .map(({ op, results, isolated, cumulative }) => [
      op,
      String(results),
      `${bar(isolated)} ${short(isolated)}`,
      `${bar(cumulative)} ${short(cumulative)}`,
    ]);
  return rows.length === 0
    ? []
    : table([["op", "results", "alone, of what is allowed", "along the graph"], ...rows]);
}

function rangeText({ widest }: GraphSummary): string[] {
  if (widest === undefined) return [];
  const { largest, halfHeadroom } = widest.range;
  const fits = halfHeadroom >= 1 ? `${short(halfHeadroom)} times below` : "BEYOND";
  return [
    `  largest number ${short(largest)} (${widest.op} %${widest.value}): ${fits} the limit of half precision`,
  ];
}

function trajectoryText({ agrees, steps, latents, firstFlip, firstBlock }: TrajectoryReport): string[] {
  const last = steps[steps.length - 1];
  const lines = [`trajectory  ${agrees ? "agrees" : "DISAGREES"}  ${steps.length} steps`];
  if (last !== undefined) {
    const worst = steps.reduce((a, b) => (b.forced.strain > a.forced.strain ? b : a));
    lines.push(
      `  each step from the reference's state: worst is step ${worst.step}, at ${short(worst.forced.strain)} of what is allowed`,
      `  free-running: error ${short(steps[0]!.free.error)} after the first step, ${short(last.free.error)} after the last (predicted ${short(last.free.predicted)})`,
    );
  }
  if (latents !== undefined)
    lines.push(
      `  decoded at the end: error ${short(latents.free.error)} (predicted ${short(latents.free.predicted)})${latents.forced.status === "fail" || latents.free.status === "fail" ? ", out of tolerance" : ""}`,
    );
  const failed = steps.find(({ forced, free }) => forced.status === "fail" || free.status === "fail");
  if (failed !== undefined)
    lines.push(
      `  first step out of tolerance: ${failed.step} (${failed.forced.status === "fail" ? "from the reference's state" : "free-running"})`,
    );
  if (firstBlock !== undefined) lines.push(`  first out of tolerance: ${blockText(firstBlock)}`);
  lines.push(
    firstFlip === undefined
      ? "  no token flips"
      : `  first flipped token: step ${firstFlip.step}, row ${firstFlip.row}, position ${firstFlip.position}: expected ${firstFlip.expected}, got ${firstFlip.actual}; margin ${short(firstFlip.margin)}, near ties end at ${short(firstFlip.allowed)}`,
  );
  return lines;
}

function ratio(measured: number, predicted: number, factor: number): string {
  return `${short(measured === 0 ? 0 : measured / predicted)} of ${short(factor)}`;
}

/** Ten cells; a full bar is the limit. */
function bar(strain: number): string {
  const cells = Math.min(10, Math.ceil(10 * strain));
  return strain > 1 ? "##########!" : "#".repeat(cells).padEnd(11, ".").slice(0, 10);
}

function table(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) =>
    `  ${row.map((cell, column) => cell.padEnd(widths[column]!)).join("  ")}`.trimEnd(),
  );
}
