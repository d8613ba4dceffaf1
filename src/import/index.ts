// Checkpoints of published systems become descriptions; see docs/import.md.

export { type Assumption, type Described, describeCheckpoint, type Given } from "./describe.js";
export { knownLayouts, type Layout, readLayout } from "./layout.js";
export { type Recognised, recognise } from "./recognise.js";
export { readSource, type Source } from "./source.js";
export type { Json } from "./template.js";
