// The list of composites: groups of several anchors with an implementation of their own.

import type { Composite } from "./composite.js";
import { headComposite } from "./head.js";

export const composites: readonly Composite[] = [headComposite];
