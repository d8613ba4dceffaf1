// plan.js of a bundle: plans for another number of steps than the compiled one, whatever the state.

export { planOf } from "../../diffusion/plan-of.js";
