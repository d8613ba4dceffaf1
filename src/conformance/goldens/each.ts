// The same thing on every back end. Systems describe how one back end's numbers become upstream's tensors; this is
// how they say it once for all of them.

/** The back ends of the golden runner. */
export type BackendName = "reference" | "onnx" | "wgsl";

/** One thing per back end. Compiled ones are absent where nothing is compiled, and WGSL where there is no WebGPU. */
export interface Each<T> {
  readonly reference: T;
  readonly onnx?: T;
  readonly wgsl?: T;
}

/** The back ends that are there, with what they have. */
export function entriesOf<T>(each: Each<T>): readonly (readonly [BackendName, T])[] {
  const names: readonly BackendName[] = ["reference", "onnx", "wgsl"];
  return names.flatMap((name) => {
    const value = each[name];
    return value === undefined ? [] : [[name, value] as const];
  });
}

/** `of` applied on every back end. */
export function mapEach<A, B>(each: Each<A>, of: (value: A) => B): Each<B> {
  return Object.fromEntries(entriesOf(each).map(([name, value]) => [name, of(value)])) as unknown as Each<B>;
}

/** `of` awaited on one back end after the other: they share the machine. */
export async function mapEachInTurn<A, B>(each: Each<A>, of: (value: A) => Promise<B>): Promise<Each<B>> {
  const results: [BackendName, B][] = [];
  for (const [name, value] of entriesOf(each)) results.push([name, await of(value)]);
  return Object.fromEntries(results) as unknown as Each<B>;
}
