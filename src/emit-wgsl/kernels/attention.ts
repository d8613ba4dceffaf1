// attention without an L x L buffer: a workgroup holds a tile of queries in registers, walks over tiles of keys
// and values in workgroup memory, and keeps for every query the largest score so far m, the sum of exp(s - m)
// and the values averaged with those weights; a larger score rescales both (Milakov and Gimelshein 2018).

import type { AttentionMask } from "../../ir/ops/attention.js";
import { workgroups } from "../grid.js";
import type { Implementation, KernelRequest } from "../kernel.js";
import { float } from "../literals.js";
import { axesPlace, divided, modulo, plus, times } from "../place.js";
import { single } from "../single.js";
import type { KernelWriter } from "../writer.js";

/** Below every score of finite numbers; no infinity, which WGSL has no literal for. */
const lowest = "-3.4e38";

/** Queries of a workgroup, an invocation each for every part of a head's channels. */
const queries = 32;

/** Where the walk over keys begins and ends for a workgroup's queries, a tile at a time. */
function bounds(
  w: KernelWriter,
  { mask, span }: AttentionMask,
  { block, keys, tile }: { readonly block: string; readonly keys: number; readonly tile: number },
): [string, string] {
  const behind = times(plus(block, "1u"), queries);
  switch (mask) {
    case "full":
      return ["0u", `${keys}u`];
    case "causal":
      return ["0u", w.bind(`min(${keys}u, ${behind})`, "end")];
    case "block_causal":
      return ["0u", w.bind(`min(${keys}u, (${behind} + ${span - 1}u) / ${span}u * ${span}u)`, "end")];
    case "sliding": {
      const first = w.bind(times(block, queries), "first_query");
      const before = span - 1;
      return [
        w.bind(
          `max(${first}, ${before}u) - ${before}u - (max(${first}, ${before}u) - ${before}u) % ${tile}u`,
          "start",
        ),
        w.bind(`min(${keys}u, ${behind} + ${before}u)`, "end"),
      ];
    }
    case "canvas":
      return ["0u", w.bind(`select(${keys}u, ${behind}, ${behind} <= ${keys - span}u)`, "end")];
  }
}

/** The condition under which query number i sees the key; none when it always does. */
function visibleKey({ mask, span, window }: AttentionMask, keys: number, i: string, key: string): string[] {
  switch (mask) {
    case "full":
      return [];
    case "causal":
      return [`${key} <= ${i}`];
    case "block_causal":
      return [`${divided(key, span)} <= ${divided(i, span)}`];
    case "sliding":
      return [`${key} < ${i} + ${span}u`, `${i} < ${key} + ${span}u`];
    case "canvas": {
      const canvas = `${keys - span}u`;
      const near = window === 0 ? [] : [`min(${i}, ${canvas}) < ${key} + ${window}u`];
      return [`(${key} <= ${i} || ${i} >= ${canvas})`, ...near];
    }
  }
}

function maskSuffix({ mask, span, window }: AttentionMask): string {
  if (mask === "full") return "";
  return mask === "causal" ? "_causal" : `_${mask}_${span}${window === 0 ? "" : `_window_${window}`}`;
}

function seen({ mask, span, window }: AttentionMask): string {
  const words: Readonly<Record<AttentionMask["mask"], string>> = {
    full: "",
    causal: " of which query i sees 0 .. i",
    block_causal: ` of which a query sees its own block of ${span} and those before`,
    sliding: ` of which a query sees those nearer than ${span}`,
    canvas: ` of which the last ${span} see each other and ${window === 0 ? "all" : `${window - 1}`} before, the others 0 .. i${window === 0 ? "" : ` nearer than ${window}`}`,
  };
  return words[mask];
}

/** Softmax attention per head; rotations and other views of q, k and v happen as they are loaded. */
export function attention(request: KernelRequest<"attention">): Implementation {
  const { attributes, operandTypes, limits, suffix, around } = request;
  const { heads, kv_heads, scale, ...mask } = attributes;
  const [batch, length, width] = operandTypes.q.shape as [number, number, number];
  const keys = operandTypes.k.shape[1]!;
  const size = width / heads;
  const { writer: w, operands, results } = request.open();
  // Channels per invocation: a head is split over `parts` neighbours, so that registers hold it.
  const parts = [1, 2, 4, 8].find((n) => size % n === 0 && size / n <= 64) ?? 1;
  const own = size / parts;
  const tile = Math.max(
    1,
    Math.min(32, keys, Math.floor(limits.maxComputeWorkgroupStorageSize / (8 * size + 128 * parts))),
  );
  const lanes = queries * parts;
  const keyTile = w.workgroupArray("key_tile", "f32", tile * size);
  const valueTile = w.workgroupArray("value_tile", "f32", tile * size);
  const partial = parts === 1 ? "" : w.workgroupArray("partial", "f32", lanes);
  const blocks = Math.ceil(length / queries);
  const work = workgroups(w, batch * heads * blocks, lanes, (g) => {
    const block = w.bind(modulo(g, blocks), "block");
    const row = w.bind(divided(g, blocks), "row");
    const head = w.bind(modulo(row, heads), "head");
    const b = batch === 1 ? "0u" : w.bind(divided(row, heads), "b");
    const kvHead = kv_heads === heads ? head : w.bind(divided(head, heads / kv_heads), "kv_head");
    const part = parts === 1 ? "0u" : w.bind(modulo("lane", parts), "part");
    const number = w.bind(plus(times(block, queries), divided("lane", parts)), "query");
    const query = w.bind(`min(${number}, ${length - 1}u)`, "query_read");
    const channel = (head_: string, c: string): string => plus(times(head_, size), times(part, own), c);
    const q = w.fresh("q");
    w.line(`var ${q}: array<f32, ${own}>;`);
    for (let c = 0; c < own; c++)
      w.line(
        `${q}[${c}] = ${float(scale)} * ${operands.q.load(axesPlace(operands.q.shape, [b, query, channel(head, `${c}u`)]))};`,
      );
    const shown = operands.visible;
    const mean = w.fresh("mean");
    w.line(`var ${mean}: array<f32, ${own}>;`);
    const most = w.variable("most", lowest);
    const total = w.variable("total", "0.0");
    // Keys that no query of this workgroup sees are passed over; the bounds are the same for all of its invocations.
    const [start, end] = bounds(w, mask, { block, keys, tile });
    w.loop("from", start, end, tile, (from) => {
      w.barrier();
      w.loop("e", "lane", `${tile * size}u`, lanes, (e) => {
        const at = w.bind(plus(from, divided(e, size)), "key");
        const clamped = keys % tile === 0 ? at : w.bind(`min(${at}, ${keys - 1}u)`, "key_read");
        const place = [b, clamped, plus(times(kvHead, size), modulo(e, size))];
        w.line(`${keyTile}[${e}] = ${operands.k.load(axesPlace(operands.k.shape, place))};`);
        w.line(`${valueTile}[${e}] = ${operands.v.load(axesPlace(operands.v.shape, place))};`);
      });
      w.barrier();
      w.loop("j", "0u", `${tile}u`, 1, (j) => {
        const base = w.bind(plus(times(j, size), times(part, own)), "base");
        const score = w.variable("score", "0.0");
        for (let c = 0; c < own; c++) w.line(`${score} += ${q}[${c}] * ${keyTile}[${plus(base, `${c}u`)}];`);
        if (parts > 1) {
          w.line(`${partial}[lane] = ${score};`);
          w.barrier();
          const first = w.bind(`lane - ${part}`, "first");
          w.line(
            `${score} = ${Array.from({ length: parts }, (_, p) => `${partial}[${plus(first, `${p}u`)}]`).join(" + ")};`,
          );
          w.barrier();
        }
        const at = plus(from, j);
        const visible = [
          ...(keys % tile === 0 ? [] : [`${at} < ${keys}u`]),
          ...visibleKey(mask, keys, number, at),
        ];
        const update = (): void => {
          if (operands.bias !== undefined)
            w.line(
              `${score} += ${operands.bias.load(axesPlace(operands.bias.shape, [head, `${plus(at, `${length - 1}u`)} - ${query}`]))};`,
            );
          // A hidden key has the lowest score: its weight vanishes as soon as a visible one is met.
          const seenScore =
            shown === undefined
              ? score
              : w.bind(
                  `select(${lowest}, ${score}, ${shown.load(axesPlace(shown.shape, [b, at]))})`,
                  "seen_score",
                );
          const next = w.bind(`max(${most}, ${seenScore})`, "next");
          const kept = w.bind(`exp(${most} - ${next})`, "kept");
          const weight = w.bind(`exp(${seenScore} - ${next})`, "weight");
          w.line(`${most} = ${next};`);
          w.line(`${total} = ${total} * ${kept} + ${weight};`);
          for (let c = 0; c < own; c++)
            w.line(
              `${mean}[${c}] = ${mean}[${c}] * ${kept} + ${weight} * ${valueTile}[${plus(base, `${c}u`)}];`,
            );
        };
        if (visible.length === 0) update();
        else w.block(`if (${visible.join(" && ")})`, update);
      });
    });
    w.block(`if (${number} < ${length}u)`, () => {
      for (let c = 0; c < own; c++)
        results[0]!.store(
          axesPlace(results[0]!.shape, [b, number, channel(head, `${c}u`)]),
          `${mean}[${c}] / ${total}`,
        );
    });
  });
  const kernel = w.finish({
    name: `attention_${heads}x${size}_${length}${keys === length ? "" : `_over_${keys}`}${maskSuffix(mask)}${suffix}`,
    comment: [
      `softmax(${scale} q k^T${operands.bias === undefined ? "" : " + bias by distance"}) v for ${heads} heads of ${size} channels, ${length} queries, ${keys} keys${seen(mask)}.`,
      `${queries} queries a workgroup, ${parts} invocation${parts === 1 ? "" : "s"} each; tiles of ${tile} keys.`,
      ...around.map((text) => `  with ${text}`),
    ],
    ...work,
  });
  return single(w, kernel);
}
