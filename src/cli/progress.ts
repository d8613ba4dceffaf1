// One line on stderr that says what a long command is doing; only on a terminal, and gone when it is done.

export interface Progress {
  show(part: string): void;
  end(): void;
}

export function progressLine(wanted: boolean): Progress {
  const terminal = wanted && process.stderr.isTTY === true;
  const started = Date.now();
  return {
    show(part) {
      if (terminal) process.stderr.write(`\r\x1b[2K${((Date.now() - started) / 1000).toFixed(1)} s  ${part}`);
    },
    end() {
      if (terminal) process.stderr.write("\r\x1b[2K");
    },
  };
}
