// What went wrong, where, and the way out: the one shape every problem of a user's input takes.
// Places are JSON pointers; line and column are computed only when a message is shown (frame.ts).

/** A second place that belongs to the same problem, e.g. the other side of a disagreement. */
export interface Note {
  readonly message: string;
  /** JSON pointer into `file` (or into the diagnostic's own file), when the note has a place. */
  readonly pointer?: string;
  readonly file?: string;
}

/** One problem of the user's input. */
export interface Diagnostic {
  readonly severity: "error" | "warning";
  /** Stable, documented, greppable: `model/unknown-key`, `weights/missing`, `rfft_c1`, `onnx/no-cuda-kernel`. */
  readonly code: string;
  /** Both sides of the disagreement: what was expected, what was found. */
  readonly message: string;
  /** The input it is about; absent for flags and environment. */
  readonly file?: string;
  /** JSON pointer into `file`; `""` is the whole file. `offset` wins where the text is not JSON. */
  readonly pointer?: string;
  /** Character offset into the text of `file`, for syntax errors and `.ir` files. */
  readonly offset?: number;
  /** Put the caret under the key instead of the value (unknown or misplaced keys). */
  readonly atKey?: boolean;
  readonly notes?: readonly Note[];
  /** The next thing to try. */
  readonly help?: string;
}

/** Exit codes of the command line (design section 8). */
export const exitCodes = {
  ok: 0,
  disagree: 1,
  badInput: 2,
  unsupported: 3,
  internal: 4,
  environment: 5,
} as const;
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** Thrown when an operation cannot go on because of the user's input; carries every diagnostic found. */
export class DlmcError extends Error {
  constructor(
    readonly diagnostics: readonly Diagnostic[],
    readonly exitCode: ExitCode = exitCodes.badInput,
  ) {
    super(diagnostics.map((d) => `${d.code}: ${d.message}`).join("\n"));
    this.name = "DlmcError";
  }
}

/** Thrown when dlmc itself is wrong. `module` is IR text the report should carry. */
export class DlmcBug extends Error {
  constructor(
    message: string,
    readonly module?: string,
  ) {
    super(message);
    this.name = "DlmcBug";
  }
}

/** Stop with one error. */
export function fail(
  code: string,
  message: string,
  rest: Omit<Diagnostic, "severity" | "code" | "message"> = {},
): never {
  throw new DlmcError([{ severity: "error", code, message, ...rest }]);
}

/** Stop with a "dlmc is wrong" report; never for anything a user's input can cause. */
export function bug(message: string, module?: string): never {
  throw new DlmcBug(message, module);
}

/** Collects diagnostics so that one run reports every problem of a file. */
export class Report {
  readonly diagnostics: Diagnostic[] = [];
  constructor(readonly file?: string) {}

  add(diagnostic: Diagnostic): void {
    this.diagnostics.push(
      this.file !== undefined && diagnostic.file === undefined
        ? { file: this.file, ...diagnostic }
        : diagnostic,
    );
  }

  error(code: string, message: string, rest: Omit<Diagnostic, "severity" | "code" | "message"> = {}): void {
    this.add({ severity: "error", code, message, ...rest });
  }

  warn(code: string, message: string, rest: Omit<Diagnostic, "severity" | "code" | "message"> = {}): void {
    this.add({ severity: "warning", code, message, ...rest });
  }

  get hasErrors(): boolean {
    return this.diagnostics.some((d) => d.severity === "error");
  }

  /** Throws all collected diagnostics when any is an error. */
  throwIfErrors(exitCode: ExitCode = exitCodes.badInput): void {
    if (this.hasErrors) throw new DlmcError(this.diagnostics, exitCode);
  }
}
