// A report as one HTML file without outside resources: tables, bars of measured / allowed, the trajectory as a curve.

import { blockText, short } from "./divergence.js";
import type { CheckReport, GraphCheck, ValueCheck } from "./report-types.js";
import { nonFiniteOrigin, summarise } from "./summary.js";
import type { TrajectoryReport } from "./trajectory.js";
import type { Verdict } from "./verdict.js";

const style = `
:root { color-scheme: light dark; --line: #8884; --ok: #2a7; --bad: #d33; --tie: #c80; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem } h2 { font-size: 1.1rem; margin-top: 2.5rem }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .2rem .6rem; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { font-weight: 600 } code { font: 13px ui-monospace, monospace }
.bar { display: inline-block; width: 8rem; height: .7em; background: #8882; vertical-align: middle; margin-right: .5em }
.bar i { display: block; height: 100%; background: var(--ok) } .bar.bad i { background: var(--bad) }
.pass { color: var(--ok) } .fail { color: var(--bad); font-weight: 600 } .near-tie, .after-near-tie { color: var(--tie) }
.box { border-left: 4px solid var(--bad); padding: .3rem 1rem; margin: 1rem 0 }
details { margin: .7rem 0 } summary { cursor: pointer } svg { width: 100%; height: 14rem }
`;

/** The whole report as a document. */
export function htmlReport(report: CheckReport): string {
  const title = `${report.candidate} against the float64 reference`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escapeHtml(title)}</title>
<style>${style}</style>
</head>
<body>
<h1>${escapeHtml(title)}: ${mark(report.agrees)}</h1>
<p>${report.model === undefined ? "" : `<code>${escapeHtml(report.model)}</code>. `}Errors are compared with those that ${report.runs} perturbed float64 runs predict
(functions: ${escapeHtml(report.accuracy.name)}, ${escapeHtml(report.accuracy.source)}). An honest target fails one check in ${Math.round(1 / report.falseAlarm)}.
A full bar is the limit.</p>
${passes(report)}
${report.graphs.map(graphSection).join("\n")}
${report.trajectory === undefined ? "" : trajectorySection(report.trajectory)}
</body>
</html>
`;
}

function passes({ passes: checks = [] }: CheckReport): string {
  if (checks.length === 0) return "";
  const rows = checks.map((check) => [
    `<code>@${escapeHtml(check.graph)} ${escapeHtml(check.output)}</code>`,
    short(check.difference),
    short(check.predicted),
    mark(check.agrees),
  ]);
  return `<h2>Passes</h2>${table(["output", "change in float64", "float32 rounding", ""], rows)}`;
}

function graphSection(graph: GraphCheck): string {
  const summary = summarise(graph);
  const found = graph.firstDivergence;
  const origin = nonFiniteOrigin(graph);
  const boxes = [
    ...graph.problems.map((problem) => `not run: ${escapeHtml(problem)}`),
    ...(found === undefined
      ? []
      : [
          `first divergence (${found.mode}): <code>${escapeHtml(found.op)} %${escapeHtml(found.value)}</code> <code>${escapeHtml(found.pointer)}</code><br>${escapeHtml(found.message)}`,
        ]),
    ...(origin === undefined ? [] : [escapeHtml(origin)]),
  ];
  const outputs = graph.outputs.map(({ name, whole }) => [
    `<code>${escapeHtml(name)}</code>`,
    ...verdictCells(whole),
  ]);
  const ops = summary.ops.map(({ op, results, isolated, cumulative }) => [
    `<code>${escapeHtml(op)}</code>`,
    String(results),
    bar(isolated),
    bar(cumulative),
  ]);
  return `<section>
<h2>@${escapeHtml(graph.name)}: ${mark(graph.agrees)}</h2>
${boxes.map((box) => `<p class="box">${box}</p>`).join("\n")}
${table(["output", "largest error", "ULP", "largest / predicted", "rms / predicted", "of what is allowed", ""], outputs)}
<h3>Ops</h3>
${table(["op", "results", "alone", "along the graph"], ops)}
<details><summary>${graph.values.length} values</summary>
${table(
  [
    "value",
    "op",
    "type",
    "place",
    "alone",
    "along the graph",
    "error",
    "predicted",
    "largest",
    "f16 headroom",
  ],
  graph.values.map(valueCells),
)}
</details>
</section>`;
}

function valueCells(value: ValueCheck): string[] {
  const { range, predicted, isolated, cumulative } = value;
  return [
    `<code>%${escapeHtml(value.value)}</code>`,
    escapeHtml(value.op),
    `<code>${escapeHtml(value.type)}</code>`,
    `<code>${escapeHtml([value.pointer, ...value.via].join(" < "))}</code>`,
    strainCell(isolated),
    strainCell(cumulative),
    short(cumulative?.comparison?.maxAbsolute ?? 0),
    short(predicted.largest),
    short(range.largest),
    range.halfHeadroom < 1
      ? `<span class="fail">${short(range.halfHeadroom)}</span>`
      : short(range.halfHeadroom),
  ];
}

function verdictCells(verdict: Verdict | undefined): string[] {
  const c = verdict?.comparison;
  if (verdict === undefined || c === undefined) return ["", "", "", "", "", status(verdict)];
  const times = (m: { measured: number; predicted: number; factor: number } | undefined): string =>
    m === undefined ? "" : `${short(m.measured === 0 ? 0 : m.measured / m.predicted)} of ${short(m.factor)}`;
  return [
    short(c.maxAbsolute),
    short(c.maxUlp),
    times(c.largest),
    times(c.spread),
    bar(verdict.strain),
    status(verdict),
  ];
}

function strainCell(verdict: Verdict | undefined): string {
  return verdict === undefined
    ? ""
    : `${bar(verdict.strain)} ${verdict.status === "pass" ? "" : status(verdict)}`;
}

function status(verdict: Verdict | undefined): string {
  return verdict === undefined ? "not run" : `<span class="${verdict.status}">${verdict.status}</span>`;
}

function bar(strain: number): string {
  const width = Math.min(100, 100 * strain);
  return `<span class="bar${strain > 1 ? " bad" : ""}"><i style="width:${width.toFixed(1)}%"></i></span>${short(strain)}`;
}

function mark(agrees: boolean): string {
  return agrees ? '<span class="pass">agrees</span>' : '<span class="fail">disagrees</span>';
}

/** Error of the state per step, free-running: measured and predicted, on a logarithmic scale. */
function trajectorySection({ agrees, steps, latents, firstFlip, firstBlock }: TrajectoryReport): string {
  const numbers = steps.flatMap(({ free }) => [free.error, free.predicted]).filter((v) => v > 0);
  const low = Math.log10(Math.min(...numbers, 1));
  const high = Math.log10(Math.max(...numbers, Number.MIN_VALUE)) + 0.1;
  const curve = (of: (step: TrajectoryReport["steps"][number]) => number, color: string): string => {
    const points = steps.flatMap((step, i) => {
      const v = of(step);
      if (!(v > 0)) return [];
      const y = 190 - (180 * (Math.log10(v) - low)) / Math.max(high - low, 1e-9);
      return [`${((1000 * i) / Math.max(1, steps.length - 1)).toFixed(1)},${y.toFixed(1)}`];
    });
    return `<polyline points="${points.join(" ")}" fill="none" stroke="${color}" stroke-width="2" vector-effect="non-scaling-stroke"/>`;
  };
  const flip =
    firstFlip === undefined
      ? "No token flips."
      : `First flipped token: step ${firstFlip.step}, row ${firstFlip.row}, position ${firstFlip.position}: expected ${firstFlip.expected}, got ${firstFlip.actual}; margin ${short(firstFlip.margin)}, near ties end at ${short(firstFlip.allowed)}.`;
  const block =
    firstBlock === undefined ? "" : ` First out of tolerance: ${escapeHtml(blockText(firstBlock))}.`;
  const ended = latents ? [{ step: "latents", level: Number.NaN, ...latents }] : [];
  const rows = [...steps, ...ended].map(({ step, level, forced, free }) => [
    String(step),
    Number.isNaN(level) ? "" : short(level),
    short(forced.error),
    short(forced.predicted),
    bar(forced.strain),
    short(free.error),
    short(free.predicted),
    `${free.flips} (${free.nearTies} near ties)`,
    `<span class="${free.status}">${free.status}</span>`,
  ]);
  return `<section>
<h2>Trajectory: ${mark(agrees)}</h2>
<p>${flip}${block} The largest error of the state after each step, measured (green) and predicted (grey), logarithmic.</p>
<svg viewBox="0 0 1000 200" preserveAspectRatio="none" role="img" aria-label="error per step">${curve((s) => s.free.predicted, "#888")}${curve((s) => s.free.error, "#2a7")}</svg>
<details><summary>${steps.length} steps</summary>
${table(["step", "level", "one step", "predicted", "of what is allowed", "free-running", "predicted", "flips", ""], rows)}
</details>
</section>`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = (tag: string, row: readonly string[]): string =>
    `<tr>${row.map((cell) => `<${tag}>${cell}</${tag}>`).join("")}</tr>`;
  return `<table><thead>${cells("th", head)}</thead><tbody>${rows.map((row) => cells("td", row)).join("\n")}</tbody></table>`;
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}
