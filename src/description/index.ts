// What other stages use of the description: reading, printing, its types and the sizes that follow from it.

export { printDescription, resolveDefaults } from "./defaults.js";
export type * from "./description.js";
export type { DescriptionFile } from "./generated/input.js";
export { atLength } from "./length.js";
export { type PartName, parts } from "./parts.js";
export { readDescription } from "./read.js";
export * from "./widths.js";
