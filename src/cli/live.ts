// The denoising view on a terminal: one line per text, redrawn in place. Positions that changed since the step
// before are bright, given ones underlined. Only ever used when stderr is a terminal.

import type { GenerationState } from "../runtime/index.js";

const ansi = {
  dim: "\x1b[2m",
  bright: "\x1b[1;36m",
  given: "\x1b[4m",
  reset: "\x1b[0m",
  up: (n: number) => `\x1b[${n}A`,
  clear: "\x1b[2K",
};

export interface LiveView {
  show(state: GenerationState): void;
  /** Removes the view. */
  end(): void;
}

/** A view of `length` positions per text. `symbol` is how a token looks. */
export function liveView(
  length: number,
  symbol: (token: number) => string,
  given: (position: number) => boolean,
  write: (text: string) => void,
  columns: number,
): LiveView {
  let previous: Int32Array | undefined;
  let lines = 0;
  const erase = (): string =>
    lines === 0 ? "" : `${ansi.up(lines)}${Array(lines).fill(`${ansi.clear}\n`).join("")}${ansi.up(lines)}`;
  return {
    show(state) {
      const rows = [`${ansi.dim}step ${state.step} of ${state.of}${ansi.reset}`];
      for (let start = 0; start < state.tokens.length; start += length) {
        let width = 0;
        let text = "";
        for (let i = start; i < start + length; i++) {
          const token = state.tokens[i]!;
          const shown = symbol(token);
          width += shown.length;
          if (width > columns - 1) break;
          const style = given(i % length)
            ? ansi.given
            : previous !== undefined && previous[i] !== token
              ? ansi.bright
              : "";
          text += style === "" ? shown : `${style}${shown}${ansi.reset}`;
        }
        rows.push(text);
      }
      write(`${erase()}${rows.join("\n")}\n`);
      lines = rows.length;
      previous = state.tokens.slice();
    },
    end() {
      write(erase());
      lines = 0;
    },
  };
}
