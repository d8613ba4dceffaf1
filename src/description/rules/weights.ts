// Rules of the weights' table of names, as far as they hold without opening a file.

import type { Report } from "../../support/diagnostic.js";
import { joinPointer } from "../../support/pointer.js";
import type { Description, Transform, TransformedTensor } from "../description.js";

/** Checks the sources and the transforms of the name map. */
export function checkWeights({ weights }: Description, report: Report): void {
  const given = (["file", "files", "index"] as const).filter((key) => weights[key] !== undefined);
  const [first, second] = given;
  if (first !== undefined && second !== undefined)
    report.error("model/weights-source", `weights come from "${first}" or from "${second}", not from both`, {
      pointer: `/weights/${second}`,
      atKey: true,
      notes: [{ message: "the other source", pointer: `/weights/${first}` }],
    });
  for (const [name, source] of Object.entries(weights.map))
    if (typeof source !== "string") checkTransforms(source, joinPointer("/weights/map", name), report);
}

function checkTransforms({ from, transforms }: TransformedTensor, pointer: string, report: Report): void {
  const several = typeof from !== "string";
  const first = transforms[0]?.kind;
  if (several && from.length > 1 && first !== "concat")
    report.error("model/weights-concat", `${from.length} tensors need "concat" as their first transform`, {
      pointer: `${pointer}/from`,
      help: '"transforms": [{ "kind": "concat", "axis": 0 }]',
    });
  for (const [i, transform] of transforms.entries()) {
    const place = `${pointer}/transforms/${i}`;
    if (transform.kind === "concat" && (i > 0 || !several))
      report.error("model/weights-concat", "concat joins the tensors of a list, as the first transform", {
        pointer: place,
        notes: [{ message: "what it would join", pointer: `${pointer}/from` }],
      });
    const problem = problemOf(transform);
    if (problem !== undefined) report.error("model/weights-transform", problem, { pointer: place });
  }
}

/** What is wrong with a transform whatever the tensor. */
function problemOf(transform: Transform): string | undefined {
  switch (transform.kind) {
    case "slice":
      if (transform.start >= transform.stop)
        return `a slice from ${transform.start} to ${transform.stop} has no elements`;
      return undefined;
    case "transpose": {
      const order = [...transform.axes].sort((a, b) => a - b);
      if (order.some((axis, i) => axis !== i))
        return `axes [${transform.axes.join(", ")}] are not an order of 0 to ${order.length - 1}`;
      return undefined;
    }
    case "reshape":
      if (transform.shape.filter((extent) => extent === -1).length > 1) return "only one extent may be -1";
      if (transform.shape.includes(0)) return "an extent of 0 holds nothing";
      return undefined;
    default:
      return undefined;
  }
}
