// Types of index.js: the model beside it on WebGPU.
//   import { load } from "./index.js";
//   const model = await load();
//   for await (const state of model.generate({ prompt: "..", seed: 7 })) show(state.tokens);

/** One thing that is wrong, with a way out. */
export interface Diagnostic {
  readonly severity: "error" | "warning";
  /**
   * `bundle/unreadable`, `bundle/manifest`, `bundle/corrupt`, `bundle/truncated`, `webgpu/missing`, `webgpu/limit`,
   * `webgpu/feature`, `webgpu/kernel`, `webgpu/out-of-memory`, `webgpu/device-lost`, `tokenizer/..`, `generate/..`.
   */
  readonly code: string;
  readonly message: string;
  readonly help?: string;
  readonly file?: string;
}

/** Thrown for everything that the caller can mend. */
export declare class DlmcError extends Error {
  readonly diagnostics: readonly Diagnostic[];
}

export interface LoadProgress {
  /** Bytes of weights that are on the device. */
  readonly loaded: number;
  readonly total: number;
  readonly tensor?: string;
}

export interface LoadOptions {
  /** Where a device is requested; `navigator.gpu` by default. */
  readonly gpu?: { requestAdapter(options?: object): Promise<unknown> };
  /** Sequence length, for a bundle with several. */
  readonly length?: number;
  readonly signal?: AbortSignal;
  readonly progress?: (at: LoadProgress) => void;
}

export interface FixedTokens {
  readonly tokens: Int32Array;
  /** 1 where the token is given. */
  readonly mask: Uint8Array;
}

export interface EncoderInput {
  readonly values: Float32Array | Float64Array;
  /** [S, dim] or [B, S, dim]. */
  readonly shape: readonly number[];
  /** 1 where there is a position. */
  readonly mask?: Uint8Array;
}

export interface GenerateOptions {
  /** Text with blanks, for models with a vocabulary. */
  readonly prompt?: string;
  readonly fixed?: FixedTokens;
  /** The output of an encoder, for models that attend to one. */
  readonly encoder?: EncoderInput;
  /** The class of every text, or one a text, for models that are told one; null: none. */
  readonly classes?: number | null | readonly (number | null)[];
  /** 0 by default. A seed gives the tokens of `dlmc generate --seed`. */
  readonly seed?: number;
  /** Sampling steps; the compiled number by default. */
  readonly steps?: number;
  readonly signal?: AbortSignal;
  /** false: where settled blocks are kept, the last state has margins alone and no logits are kept until then. */
  readonly keepLogits?: boolean;
}

export interface TokenState {
  /** 1 after the first update; equals `of` in the last state. */
  readonly step: number;
  readonly of: number;
  readonly done: boolean;
  /** The best tokens so far, row by row of the batch; of latents those of a decoder, in the last state. */
  readonly tokens: Int32Array;
  /** The noise level that led here; absent in the last state. */
  readonly row?: { readonly t: number; readonly alphaBar: number; readonly sigma2: number };
  /** Last state of a model of latents: as the autoencoder made them, [B, L, d]. */
  readonly latents?: Float32Array;
  readonly logits?: Float32Array;
  /** Last state: how far the best logit of each position is above the second. */
  readonly margins?: Float32Array;
}

export interface Tokenizer {
  readonly symbols: readonly string[];
  encode(text: string, length: number): FixedTokens;
  decode(tokens: ArrayLike<number>): string;
}

export interface Model {
  /** manifest.json. */
  readonly manifest: object;
  readonly runner: { readonly length: number; readonly dim: number; readonly vocabulary: number };
  readonly tokenizer: Tokenizer | undefined;
  /** The compiled plan, or one of another number of steps, which plan.js beside this file makes. */
  plan(
    steps?: number,
  ): Promise<{ readonly rows: readonly { readonly t: number; readonly alphaBar: number }[] }>;
  generate(options?: GenerateOptions): AsyncGenerator<TokenState, void, undefined>;
  /** Device time of one step by kernel, longest first; undefined without the feature timestamp-query. */
  times(): Promise<
    | readonly { readonly kernel: string; readonly dispatches: number; readonly microseconds: number }[]
    | undefined
  >;
  /** Gives all memory on the device back. */
  destroy(): void;
}

/** Loads the model beside this file, on the GPUDevice given or a new one. */
export declare function load(device?: object | null, options?: LoadOptions): Promise<Model>;

/** The same for a bundle elsewhere: its directory as a URL, or a path in Node. */
export declare function loadWebgpu(
  location: string,
  options?: LoadOptions & { readonly device?: object },
): Promise<Model>;
