// What JSON Schema cannot say: how fields must fit each other. Every rule has a stable code and points at both
// sides of the disagreement.

import type { Report } from "../support/diagnostic.js";
import type { Description } from "./description.js";

/** Reports every broken rule. */
export function checkRules(_description: Description, _report: Report): void {}
