// Flow matching: its path is not variance preserving, so its schedule and its sampler belong together.

import type { Report } from "../../support/diagnostic.js";
import type { Description } from "../description.js";

/** Checks a description with a flow on either side. */
export function checkFlow(description: Description, report: Report): void {
  if (!("noise_schedule" in description)) return;
  const { noise_schedule: schedule } = description;
  const sampler = "sampler" in description ? description.sampler : undefined;
  const notes = [{ message: "the noise schedule", pointer: "/noise_schedule/family" }];
  const flows = schedule.family === "flow";
  if (sampler !== undefined && flows !== (sampler.kind === "flow"))
    report.error(
      "model/flow-sampler",
      flows
        ? `${sampler.kind} takes a variance-preserving process, and a flow is none`
        : `the sampler flow takes the schedule flow, not ${schedule.family}`,
      { pointer: "/sampler/kind", notes, help: flows ? 'use "kind": "flow"' : 'use "kind": "euler"' },
    );
  if (!flows) return;
  const moved = schedule.log_snr_shift !== 0 ? "log_snr_shift" : schedule.log_snr_clip && "log_snr_clip";
  const cut = schedule.discretization.kind === "continuous" ? undefined : "discretization";
  for (const field of [moved, cut])
    if (field !== undefined)
      report.error("model/flow-form", `a flow is a path in continuous time: ${field} does not apply`, {
        pointer: `/noise_schedule/${field}`,
        notes,
        help: "leave it out",
      });
}
