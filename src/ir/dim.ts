// Extents. A Dim is an integer polynomial over named symbols, with floor division as an atom; its canonical
// text is its identity. A Dim may carry a label, the name the module's header gives it: labels are for
// reading and never change equality, so `L = 36` and `36` are the same extent.

interface Atom {
  readonly text: string;
  readonly min: number;
  readonly max: number;
  evaluate(sizes: ReadonlyMap<string, number>): number;
  bind(sizes: ReadonlyMap<string, number>): Dim;
}

interface Term {
  readonly atoms: readonly Atom[];
  readonly coefficient: number;
}

/** An integer extent, possibly symbolic. Immutable. */
export class Dim {
  /** The canonical text, once it has been asked for: comparing extents is what passes do most. */
  private text: string | undefined;

  private constructor(
    private readonly terms: readonly Term[],
    readonly label?: string,
  ) {}

  static of(value: number): Dim {
    return new Dim(value === 0 ? [] : [{ atoms: [], coefficient: value }]);
  }

  /** A free extent, known to lie in [min, max]. */
  static symbol(name: string, min = 1, max = Number.POSITIVE_INFINITY): Dim {
    const atom: Atom = {
      text: name,
      min,
      max,
      evaluate: (sizes) => {
        const size = sizes.get(name);
        if (size === undefined) throw new RangeError(`dim ${name} has no size`);
        return size;
      },
      bind: (sizes) =>
        sizes.has(name) ? Dim.of(sizes.get(name)!) : new Dim([{ atoms: [atom], coefficient: 1 }]),
    };
    return new Dim([{ atoms: [atom], coefficient: 1 }], name);
  }

  /** The same extent under another name. */
  named(label: string): Dim {
    return new Dim(this.terms, label);
  }

  plus(other: Dim | number): Dim {
    return new Dim(collect([...this.terms, ...dim(other).terms]));
  }

  minus(other: Dim | number): Dim {
    return this.plus(dim(other).times(-1));
  }

  times(other: Dim | number): Dim {
    const products = this.terms.flatMap((a) =>
      dim(other).terms.map((b) => ({
        atoms: [...a.atoms, ...b.atoms].sort((x, y) => (x.text < y.text ? -1 : x.text > y.text ? 1 : 0)),
        coefficient: a.coefficient * b.coefficient,
      })),
    );
    return new Dim(collect(products));
  }

  /** floor(this / divisor); exact where every coefficient divides. `divisor` must be a positive integer. */
  floorDiv(divisor: number): Dim {
    if (this.terms.every((t) => t.coefficient % divisor === 0)) {
      return new Dim(this.terms.map((t) => ({ ...t, coefficient: t.coefficient / divisor })));
    }
    const value = this.value;
    if (value !== undefined) return Dim.of(Math.floor(value / divisor));
    const inner = new Dim(this.terms);
    const atom: Atom = {
      text: `floor(${inner.key}/${divisor})`,
      min: Math.floor(this.min / divisor),
      max: Math.floor(this.max / divisor),
      evaluate: (sizes) => Math.floor(inner.evaluate(sizes) / divisor),
      bind: (sizes) => inner.bind(sizes).floorDiv(divisor),
    };
    return new Dim([{ atoms: [atom], coefficient: 1 }]);
  }

  /** this / other when other divides every term exactly (also symbolically: B*L*4 / (L*4) = B). */
  dividedBy(other: Dim): Dim | undefined {
    const [divisor, ...rest] = other.terms;
    if (divisor === undefined || rest.length > 0)
      return other.value === undefined ? (this.equals(other) ? Dim.of(1) : undefined) : undefined;
    const quotient: Term[] = [];
    for (const term of this.terms) {
      const atoms = [...term.atoms];
      for (const atom of divisor.atoms) {
        const index = atoms.findIndex((a) => a.text === atom.text);
        if (index < 0) return undefined;
        atoms.splice(index, 1);
      }
      if (term.coefficient % divisor.coefficient !== 0) return undefined;
      quotient.push({ atoms, coefficient: term.coefficient / divisor.coefficient });
    }
    return new Dim(collect(quotient));
  }

  /** The number, when no symbol is free. */
  get value(): number | undefined {
    if (this.terms.length === 0) return 0;
    const [only] = this.terms;
    return this.terms.length === 1 && only!.atoms.length === 0 ? only!.coefficient : undefined;
  }

  get min(): number {
    return bound(this.terms, "min");
  }

  get max(): number {
    return bound(this.terms, "max");
  }

  /** Canonical text without labels: equal text, equal extent. */
  get key(): string {
    this.text ??= this.canonicalText();
    return this.text;
  }

  private canonicalText(): string {
    if (this.terms.length === 0) return "0";
    return this.terms
      .map(({ atoms, coefficient }, index) => {
        const sign = coefficient < 0 ? "-" : index > 0 ? "+" : "";
        const factors = atoms.map((a) => a.text);
        const size = Math.abs(coefficient);
        if (size !== 1 || factors.length === 0) factors.unshift(String(size));
        return sign + factors.join("*");
      })
      .join("");
  }

  equals(other: Dim): boolean {
    return this.key === other.key;
  }

  evaluate(sizes: ReadonlyMap<string, number>): number {
    let sum = 0;
    for (const { atoms, coefficient } of this.terms) {
      let product = coefficient;
      for (const atom of atoms) product *= atom.evaluate(sizes);
      sum += product;
    }
    return sum;
  }

  /** The extent with some symbols replaced by numbers; the label stays. */
  bind(sizes: ReadonlyMap<string, number>): Dim {
    let sum = Dim.of(0);
    for (const { atoms, coefficient } of this.terms)
      sum = sum.plus(atoms.reduce((p, atom) => p.times(atom.bind(sizes)), Dim.of(coefficient)));
    return new Dim(sum.terms, this.label);
  }

  toString(): string {
    return this.label ?? this.key;
  }
}

/** A number or a Dim as a Dim. */
export function dim(value: Dim | number): Dim {
  return typeof value === "number" ? Dim.of(value) : value;
}

/** The product of extents; 1 for none. */
export function product(dims: readonly Dim[]): Dim {
  return dims.reduce((p, d) => p.times(d), Dim.of(1));
}

function collect(terms: readonly Term[]): Term[] {
  const byAtoms = new Map<string, Term>();
  for (const term of terms) {
    const key = term.atoms.map((a) => a.text).join("*");
    const known = byAtoms.get(key);
    byAtoms.set(key, { atoms: term.atoms, coefficient: term.coefficient + (known?.coefficient ?? 0) });
  }
  // Symbols first, the constant last: 2*L-1 reads as people write it.
  return [...byAtoms.entries()]
    .filter(([, t]) => t.coefficient !== 0)
    .sort(([a], [b]) => (a === "" ? 1 : b === "" ? -1 : a < b ? -1 : 1))
    .map(([, t]) => t);
}

function bound(terms: readonly Term[], side: "min" | "max"): number {
  const other = side === "min" ? "max" : "min";
  let sum = 0;
  for (const { atoms, coefficient } of terms) {
    let product = coefficient;
    for (const atom of atoms) product *= atom[coefficient < 0 ? other : side];
    sum += product;
  }
  return sum;
}
