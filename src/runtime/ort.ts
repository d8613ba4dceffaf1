// ONNX Runtime as the runner uses it: the few members that onnxruntime-node and onnxruntime-web share, written
// down here so that neither package's types are needed, and the lazy import of the former.

import { DlmcError, exitCodes } from "../support/diagnostic.js";

/** A tensor of ONNX Runtime. */
export interface OrtTensor {
  readonly type: string;
  readonly dims: readonly number[];
  readonly data: unknown;
}

/** A loaded graph. */
export interface OrtSession {
  run(feeds: Readonly<Record<string, OrtTensor>>): Promise<Readonly<Record<string, OrtTensor>>>;
  release(): Promise<void>;
}

/** The module `onnxruntime-node` or `onnxruntime-web`. */
export interface OrtModule {
  readonly InferenceSession: {
    create(location: string, options: Readonly<Record<string, unknown>>): Promise<OrtSession>;
  };
  readonly Tensor: new (type: string, data: never, dims: readonly number[]) => OrtTensor;
}

/**
 * Imports onnxruntime-node, or the package of `name`. Throws `environment/onnxruntime` (exit code 5) when it is not installed or does
 * not start on this system. In a browser, hand `onnxruntime-web` to the runner instead.
 */
export async function importOrt(name = "onnxruntime-node"): Promise<OrtModule> {
  try {
    // A name that bundlers do not see: the package is optional and never part of a page.
    const module = (await import(/* @vite-ignore */ name)) as OrtModule & { readonly default?: OrtModule };
    return module.InferenceSession === undefined ? module.default! : module;
  } catch (error) {
    const cause = error instanceof Error ? error : new Error(String(error));
    const missing = "code" in cause && cause.code === "ERR_MODULE_NOT_FOUND";
    throw new DlmcError(
      [
        {
          severity: "error",
          code: "environment/onnxruntime",
          message: missing
            ? "ONNX Runtime is not installed"
            : `ONNX Runtime is installed but does not start: ${cause.message}`,
          help: missing
            ? `npm install ${name} (in a browser: pass the module onnxruntime-web as "ort")`
            : `npm install ${name} again, for this system and this Node version`,
        },
      ],
      exitCodes.environment,
    );
  }
}
