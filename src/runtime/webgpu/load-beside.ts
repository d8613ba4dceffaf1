// What index.js of a bundle exports, for one sampling loop: a page loads no decoder that its model does not use.

import type { PlanOptions, SamplerParts } from "../../diffusion/plan.js";
import type { Plan } from "../../diffusion/plans.js";
import type { GpuDevice } from "./gpu.js";
import { loadModel, type Model, type WebgpuLoop, type WebgpuOptions } from "./model.js";

/** The exports of an index.js. */
export interface Standalone {
  /** Loads the bundle beside index.js, on a device of the caller's or a new one. Throws what `loadModel` throws. */
  load(device?: GpuDevice | null, options?: WebgpuOptions): Promise<Model>;
  /** The same for a bundle elsewhere. */
  loadWebgpu(location: string, options?: WebgpuOptions): Promise<Model>;
}

/** The exports for a loop. */
export function standalone(loop: Omit<WebgpuLoop, "plan">): Standalone {
  const whole: WebgpuLoop = { ...loop, plan: planBeside };
  const loadWebgpu = (location: string, options: WebgpuOptions = {}): Promise<Model> =>
    loadModel(whole, location, options);
  return {
    loadWebgpu,
    load: (device, options = {}) => {
      const here = new URL(".", import.meta.url).href;
      return loadWebgpu(here, device === undefined || device === null ? options : { ...options, device });
    },
  };
}

/** A plan by plan.js beside index.js, which is loaded when one is asked for that the manifest does not hold. */
async function planBeside(parts: SamplerParts, options: PlanOptions): Promise<Plan> {
  const planner: { planOf(parts: SamplerParts, options: PlanOptions): Plan } = await import(
    new URL("plan.js", import.meta.url).href
  );
  return planner.planOf(parts, options);
}
