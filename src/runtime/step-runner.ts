// What a back end has to offer so that the sampler driver can run a model on it. The ONNX runner, the
// float64 reference and the WGSL runner implement this and nothing else of the loop.

import type { PlanPoint, SamplerPlan, SamplerRow } from "../diffusion/plan.js";

/** Numbers of a state: float32 from compiled models, float64 from the reference. */
export type FloatArray = Float32Array | Float64Array;

/** What a compiled model takes of an encoder that runs elsewhere. */
export interface EncoderPort {
  /** S. */
  readonly length: number;
  readonly dim: number;
  /** Whether positions may be missing. */
  readonly mask: boolean;
}

/** The encoder's output for a whole batch. Back ends keep what they compute from it as long as they see the same object. */
export interface EncoderRows {
  /** [B, S, dim]; zeros where the mask is 0. */
  readonly values: FloatArray;
  /** [B, S]. */
  readonly mask: Uint8Array;
}

/**
 * Standard normal noise [B, L, d]: of draw 0 (the initial state) or draw k (update k, 1 is the noisiest); for `fixed` that
 * of given positions at call k of the network, 0 the first.
 */
export type NoiseSource = (draw: number, use?: "fixed") => FloatArray;

/** What one update takes; B is `batch`, L, d and V are the runner's. All arrays are row-major. */
export interface StepInputs {
  readonly batch: number;
  /** The state, [B, L, d]. */
  readonly x: FloatArray;
  /** The x0 of the step before, [B, L, d], zeros at the first: the self-conditioning and the history. */
  readonly previousX0: FloatArray;
  /** Standard normal noise, [B, L, d]; zeros where the row's `s` is 0. */
  readonly noise: FloatArray;
  /** The coefficients a, b, c, s and the numbers the network is told. */
  readonly row: SamplerRow;
  /** 1 where the token is given, [B, L]: x is replaced by `fixedX` there before the network sees it. */
  readonly fixedMask: Uint8Array;
  /** Embeddings of the given tokens, [B, L, d]; what it holds elsewhere does not matter. */
  readonly fixedX: FloatArray;
  /** For models that attend to one. */
  readonly encoder?: EncoderRows;
  /** The class of each text, [B], for models that are told one. */
  readonly classes?: Int32Array;
}

/** What one update gives. */
export interface StepOutputs {
  /** a x0 + b x + c x0_prev + s noise, [B, L, d]. */
  readonly x: FloatArray;
  /** The clean embeddings that the network predicts, after the rounding clamp if the model has one, [B, L, d]. */
  readonly x0: FloatArray;
  /** The most likely tokens, [B, L]; empty of latents, which are no tokens before they are decoded. */
  readonly tokens: Int32Array;
}

/** Logits [B, L, V] and the index of the largest of each position (the lowest on a tie), [B, L]. */
export interface Rounded {
  readonly logits: FloatArray;
  readonly tokens: Int32Array;
}

/** What a generation of latents ends in. */
export interface Decoded {
  /** As the autoencoder made them, [B, L, d]: the standardisation is undone. */
  readonly latents: FloatArray;
  /** Empty where the model has no decoder. */
  readonly tokens: Int32Array;
  readonly logits?: FloatArray;
}

/** A model on one back end. Methods reject with a `DlmcError` for what the user can mend. */
export interface StepRunner {
  /** L. */
  readonly length: number;
  /** d, the width of the state. */
  readonly dim: number;
  /** V; 0 of latents that nothing decodes. */
  readonly vocabulary: number;
  /** What the model takes of an encoder; undefined where it attends to none. */
  readonly encoder?: EncoderPort;
  /** Clean embeddings [B, L, d] of tokens [B, L]; not to be asked of latents. */
  embed(tokens: Int32Array, batch: number): Promise<FloatArray>;
  /** One update of the sampler. */
  step(inputs: StepInputs): Promise<StepOutputs>;
  /** Logits of the network at one point, without an update; needed by plans that end with `denoise`. */
  denoise?(inputs: {
    readonly batch: number;
    readonly x: FloatArray;
    readonly previousX0: FloatArray;
    readonly point: PlanPoint;
    /** As a step's; x has their rows already, guidance asks again without them. */
    readonly fixedMask: Uint8Array;
    readonly encoder?: EncoderRows;
    readonly classes?: Int32Array;
  }): Promise<Rounded>;
  /** The rounding head on a state; needed by plans that end with `round`. */
  round?(x: FloatArray, batch: number, encoder?: EncoderRows, classes?: Int32Array): Promise<Rounded>;
  /** The end of a generation, of models of latents alone; needed by plans that end with `decode`. */
  decode?(x: FloatArray, batch: number): Promise<Decoded>;
  /**
   * A generation whose state stays where the model runs: only tokens come back. Back ends without memory of their own
   * leave it out. One at a time: the runner's other methods may be called only after it is closed.
   */
  openState?(start: ResidentStart): ResidentState;
  /** Gives memory and sessions back. */
  dispose(): Promise<void>;
}

/** Where a resident generation begins. */
export interface ResidentStart {
  readonly batch: number;
  readonly plan: SamplerPlan;
  /** The initial state, [B, L, d]. */
  readonly x: FloatArray;
  /** Embeddings of the given tokens, [B, L, d]; undefined when none is given. */
  readonly fixedX: FloatArray | undefined;
  /** For models that attend to one. */
  readonly encoder?: EncoderRows;
  /** For models that are told one. */
  readonly classes?: Int32Array;
}

/** A state on the device: x and the x0 of the step before. */
export interface ResidentState {
  /** One update of the sampler; the most likely tokens, [B, L]. `noise` may be left out where the row's `s` is 0. */
  step(inputs: {
    readonly row: SamplerRow;
    readonly noise: FloatArray | undefined;
    readonly fixedMask: Uint8Array;
    /** Where given positions hold something else than in the call before. */
    readonly fixedX?: FloatArray | undefined;
  }): Promise<Int32Array>;
  /** The call that the plan ends with; `logits` when the compiled graph gives them, `latents` of @decode. */
  final(fixedMask: Uint8Array, fixedX?: FloatArray): Promise<Omit<Decoded, "latents"> & Partial<Decoded>>;
  /** The state and the last prediction, [B, L, d] each: a copy, for looking. */
  read(): Promise<{ readonly x: FloatArray; readonly x0: FloatArray }>;
  close(): void;
}
