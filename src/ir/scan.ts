// The words and marks of IR text. Comments run from `;` to the end of the line.

import { fail } from "../support/diagnostic.js";

const numberPattern = /[+-]?(?:\d+\.\d+|\d+)(?:[eE][+-]?\d+)?|[+-]?Infinity|NaN/y;
const wordPattern = /[A-Za-z_][A-Za-z0-9_.]*/y;
const referencePattern = /[A-Za-z0-9_][A-Za-z0-9_.-]*/y;
const stringPattern = /"(?:[^"\\]|\\.)*"/y;

export class Scanner {
  private position = 0;

  constructor(
    private readonly text: string,
    private readonly file?: string,
  ) {
    this.skip();
  }

  get offset(): number {
    return this.position;
  }

  get atEnd(): boolean {
    return this.position >= this.text.length;
  }

  get peekNumber(): boolean {
    return /\d/.test(this.text[this.position] ?? "");
  }

  fail(message: string, offset = this.position, code = "ir/syntax"): never {
    return fail(code, message, { offset, ...(this.file !== undefined && { file: this.file }) });
  }

  peek(mark: string): boolean {
    if (!this.text.startsWith(mark, this.position)) return false;
    // A keyword ends where its word ends: `dim` is not the start of `dimension`.
    return !/\w$/.test(mark) || !/[\w.]/.test(this.text[this.position + mark.length] ?? "");
  }

  accept(mark: string): boolean {
    if (!this.peek(mark)) return false;
    this.advance(mark.length);
    return true;
  }

  expect(mark: string): void {
    if (!this.accept(mark)) this.fail(`expected ${mark}, got ${this.here()}`);
  }

  word(): string {
    return this.match(wordPattern, "a name");
  }

  /** `%name` or `@name`, without the mark. */
  reference(mark: "%" | "@"): string {
    if (!this.text.startsWith(mark, this.position)) this.fail(`expected ${mark}name, got ${this.here()}`);
    this.position += 1;
    return this.match(referencePattern, `a name after ${mark}`);
  }

  number(): number {
    numberPattern.lastIndex = this.position;
    // `1..8` is a range: the first number ends before the dots.
    return Number(this.match(/\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/y, "a number"));
  }

  signedNumber(): number {
    return Number(this.match(numberPattern, "a number"));
  }

  string(): string {
    return JSON.parse(this.match(stringPattern, "a string in double quotes")) as string;
  }

  list<T>(open: string, close: string, item: () => T): T[] {
    this.expect(open);
    const items: T[] = [];
    if (this.accept(close)) return items;
    do items.push(item());
    while (this.accept(","));
    this.expect(close);
    return items;
  }

  private match(pattern: RegExp, what: string): string {
    pattern.lastIndex = this.position;
    const found = pattern.exec(this.text)?.[0];
    if (found === undefined) this.fail(`expected ${what}, got ${this.here()}`);
    this.advance(found!.length);
    return found!;
  }

  private advance(length: number): void {
    this.position += length;
    this.skip();
  }

  private skip(): void {
    for (;;) {
      const ch = this.text[this.position];
      if (ch === ";")
        while (this.position < this.text.length && this.text[this.position] !== "\n") this.position++;
      else if (ch !== undefined && /\s/.test(ch)) this.position++;
      else return;
    }
  }

  private here(): string {
    return this.atEnd
      ? "the end of the text"
      : JSON.stringify(this.text.slice(this.position, this.position + 12).split("\n")[0]);
  }
}
