// The small expressions of layout files: `extent('vocab_embed.embedding', 0)`, `config('n_heads') ?? 12`,
// `streams / width - 1`. They read shapes and config keys and do arithmetic; nothing else can be said in them.
//
//   choice  = none ["?" choice ":" choice]        none = or {"??" or}
//   or      = and {"or" and}                       and  = test {"and" test}        test = "not" test | compare
//   compare = sum [("=="|"!="|"<"|"<="|">"|">=") sum]
//   sum     = product {("+"|"-") product}          product = part {("*"|"/"|"%") part}
//   part    = ("-" part | number | 'text' | list | name ["(" arguments ")"] | "(" choice ")") {"[" choice "]"}

/** What an expression gives; undefined is "not said", which arithmetic and `??` hand on. */
export type Value = number | string | boolean | readonly Value[] | undefined;

/** Names and functions an expression may use. */
export interface Scope {
  readonly names: ReadonlyMap<string, Value>;
  readonly functions: Readonly<Record<string, (...args: readonly Value[]) => Value>>;
}

/** A mistake in an expression, for the layout's diagnostic. */
export class ExpressionError extends Error {}

type Node = (scope: Scope) => Value;

const tokenPattern =
  /\s*(?:(\d+(?:\.\d+)?(?:e[+-]?\d+)?)|'([^']*)'|([A-Za-z_]\w*)|(\?\?|[=!<>]=|[-+*/%<>?:()[\],]))/y;

interface Token {
  readonly kind: "number" | "text" | "name" | "sign";
  readonly text: string;
}

function tokens(text: string): Token[] {
  const found: Token[] = [];
  let at = 0;
  while (text.slice(at).trim() !== "") {
    tokenPattern.lastIndex = at;
    const hit = tokenPattern.exec(text);
    if (hit === null)
      throw new ExpressionError(`\`${text}\` cannot be read from \`${text.slice(at).trim()}\``);
    const [, number, quoted, name, sign] = hit;
    if (number !== undefined) found.push({ kind: "number", text: number });
    else if (quoted !== undefined) found.push({ kind: "text", text: quoted });
    else if (name !== undefined) found.push({ kind: "name", text: name });
    else found.push({ kind: "sign", text: sign! });
    at = tokenPattern.lastIndex;
  }
  return found;
}

const isTrue = (value: Value): boolean => value !== undefined && value !== false && value !== 0;

function compare(sign: string, a: Value, b: Value): boolean {
  if (sign === "==") return a === b;
  if (sign === "!=") return a !== b;
  if (typeof a !== "number" || typeof b !== "number") return false;
  return sign === "<" ? a < b : sign === "<=" ? a <= b : sign === ">" ? a > b : a >= b;
}

function combine(sign: string, a: Value, b: Value): Value {
  if (a === undefined || b === undefined) return undefined;
  if (sign === "+" && (typeof a === "string" || typeof b === "string")) return `${String(a)}${String(b)}`;
  if (typeof a !== "number" || typeof b !== "number")
    throw new ExpressionError(
      `\`${sign}\` wants numbers, found ${JSON.stringify(a)} and ${JSON.stringify(b)}`,
    );
  return sign === "+" ? a + b : sign === "-" ? a - b : sign === "*" ? a * b : sign === "/" ? a / b : a % b;
}

class Parser {
  private at = 0;
  constructor(
    private readonly text: string,
    private readonly list: readonly Token[],
  ) {}

  whole(): Node {
    const node = this.choice();
    if (this.at < this.list.length) this.refuse();
    return node;
  }

  private refuse(): never {
    const next = this.list[this.at]?.text ?? "its end";
    throw new ExpressionError(`\`${this.text}\` cannot be read at \`${next}\``);
  }

  private takes(...words: readonly string[]): string | undefined {
    const token = this.list[this.at];
    if (token === undefined || token.kind === "number" || token.kind === "text") return undefined;
    if (!words.includes(token.text)) return undefined;
    this.at++;
    return token.text;
  }

  private expects(word: string): void {
    if (this.takes(word) === undefined) this.refuse();
  }

  private choice(): Node {
    const condition = this.leftToRight(
      ["??"],
      () => this.or(),
      (_, a, b) => (s) => a(s) ?? b(s),
    );
    if (this.takes("?") === undefined) return condition;
    const then = this.choice();
    this.expects(":");
    const otherwise = this.choice();
    return (scope) => (isTrue(condition(scope)) ? then(scope) : otherwise(scope));
  }

  private leftToRight(
    signs: readonly string[],
    operand: () => Node,
    join: (sign: string, a: Node, b: Node) => Node,
  ): Node {
    let left = operand();
    for (let sign = this.takes(...signs); sign !== undefined; sign = this.takes(...signs))
      left = join(sign, left, operand());
    return left;
  }

  private or(): Node {
    const and = (): Node =>
      this.leftToRight(
        ["and"],
        () => this.test(),
        (_, a, b) => (s) => isTrue(a(s)) && isTrue(b(s)),
      );
    return this.leftToRight(["or"], and, (_, a, b) => (s) => isTrue(a(s)) || isTrue(b(s)));
  }

  private test(): Node {
    if (this.takes("not") !== undefined) {
      const inner = this.test();
      return (scope) => !isTrue(inner(scope));
    }
    const left = this.sum();
    const sign = this.takes("==", "!=", "<=", ">=", "<", ">");
    if (sign === undefined) return left;
    const right = this.sum();
    return (scope) => compare(sign, left(scope), right(scope));
  }

  private sum(): Node {
    const join =
      (sign: string, a: Node, b: Node): Node =>
      (s) =>
        combine(sign, a(s), b(s));
    return this.leftToRight(
      ["+", "-"],
      () => this.leftToRight(["*", "/", "%"], () => this.part(), join),
      join,
    );
  }

  private part(): Node {
    let node = this.first();
    while (this.takes("[") !== undefined) {
      const [list, index] = [node, this.choice()];
      this.expects("]");
      node = (scope) => {
        const [values, i] = [list(scope), index(scope)];
        return Array.isArray(values) && typeof i === "number" ? (values as readonly Value[])[i] : undefined;
      };
    }
    return node;
  }

  private first(): Node {
    if (this.takes("-") !== undefined) {
      const inner = this.part();
      return (scope) => combine("-", 0, inner(scope));
    }
    if (this.takes("(") !== undefined) {
      const inner = this.choice();
      this.expects(")");
      return inner;
    }
    if (this.takes("[") !== undefined) {
      const items = this.items("]");
      return (scope) => items.map((item) => item(scope));
    }
    const token = this.list[this.at++];
    if (token?.kind === "number") return () => Number(token.text);
    if (token?.kind === "text") return () => token.text;
    if (token?.kind === "name") return this.named(token.text);
    this.at--;
    return this.refuse();
  }

  private named(name: string): Node {
    if (name === "true" || name === "false") return () => name === "true";
    if (name === "none") return () => undefined;
    if (this.takes("(") === undefined)
      return ({ names }) => {
        if (!names.has(name))
          throw new ExpressionError(`\`${this.text}\` names \`${name}\`, which has no value`);
        return names.get(name);
      };
    const args = this.items(")");
    return (scope) => {
      const call = scope.functions[name];
      if (call === undefined)
        throw new ExpressionError(
          `\`${this.text}\` calls \`${name}\`; known: ${Object.keys(scope.functions).join(", ")}`,
        );
      return call(...args.map((arg) => arg(scope)));
    };
  }

  private items(end: string): Node[] {
    const items: Node[] = [];
    while (this.takes(end) === undefined) {
      if (items.length > 0) this.expects(",");
      items.push(this.choice());
    }
    return items;
  }
}

/** The value of an expression. Throws ExpressionError for what cannot be read, unknown names and functions. */
export function evaluateExpression(text: string, scope: Scope): Value {
  return new Parser(text, tokens(text)).whole()(scope);
}

/** Whether the value of a condition holds: neither undefined nor false nor 0. */
export function holds(text: string, scope: Scope): boolean {
  return isTrue(evaluateExpression(text, scope));
}
