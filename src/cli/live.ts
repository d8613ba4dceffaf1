// The denoising view on a terminal: one line per text, redrawn in place. Positions that changed since the step
// before are bright, given ones underlined. Only ever used when stderr is a terminal.

import type { TokenState } from "../runtime/index.js";

const ansi = {
  dim: "\x1b[2m",
  bright: "\x1b[1;36m",
  given: "\x1b[4m",
  reset: "\x1b[0m",
  up: (n: number) => `\x1b[${n}A`,
  clear: "\x1b[2K",
};

export interface LiveView {
  show(state: TokenState): void;
  /** Removes the view. */
  end(): void;
}

/** Lines of one text at most; longer ones end in an ellipsis. */
const mostLines = 16;

/** A view of `length` positions per text on a terminal of `columns`. `symbol` is how a token looks. */
export function liveView(
  length: number,
  symbol: (token: number) => string,
  given: (position: number) => boolean,
  write: (text: string) => void,
  columns: number,
): LiveView {
  let previous: Int32Array | undefined;
  let lines = 0;
  const up = (): string => (lines === 0 ? "" : ansi.up(lines));
  const erase = (): string => `${up()}${`${ansi.clear}\n`.repeat(lines)}${up()}`;
  const styled = (tokens: Int32Array, i: number): string => {
    const shown = symbol(tokens[i]!);
    const changed = previous !== undefined && previous[i] !== tokens[i];
    const style = given(i % length) ? ansi.given : changed ? ansi.bright : "";
    return style === "" ? shown : `${style}${shown}${ansi.reset}`;
  };
  const textLines = (tokens: Int32Array, start: number): string[] => {
    const wrapped = [""];
    let width = 0;
    for (let i = start; i < start + length; i++) {
      const size = symbol(tokens[i]!).length;
      if (width + size > columns - 1 && width > 0) {
        if (wrapped.length === mostLines) {
          wrapped[mostLines - 1] += "…";
          break;
        }
        wrapped.push("");
        width = 0;
      }
      wrapped[wrapped.length - 1] += styled(tokens, i);
      width += size;
    }
    return wrapped;
  };
  return {
    show({ step, of, tokens }) {
      const rows = [`${ansi.dim}step ${step} of ${of}${ansi.reset}`];
      for (let start = 0; start < tokens.length; start += length) rows.push(...textLines(tokens, start));
      write(`${erase()}${rows.join("\n")}\n`);
      lines = rows.length;
      previous = tokens.slice();
    },
    end() {
      write(erase());
      lines = 0;
    },
  };
}
