// Noise schedules, timestep grids, sampler tables and noise: pure float64 maths, browser-safe.

export { checkSchedule, checkSchedules } from "./check.js";
export { seededUniforms, type UniformSource } from "./discrete/draws.js";
export type { TokenPoint, TokenRow } from "./discrete/points.js";
export { type ShownLevel, shownLevel } from "./discrete/shown.js";
export { planTokens, type TokenPlan } from "./discrete/token-plan.js";
export {
  levelOf,
  type TokenLevel,
  type TokenProcess,
} from "./discrete/token-process.js";
export { type DiscreteSchedule, type Discretization, levelAt } from "./discretize.js";
export { type GridPoint, resolveGrid, type TimestepsDescription } from "./grid.js";
export { joinPoints } from "./join-plans.js";
export { clean, levelFromGamma, type NoiseLevel, priorScale } from "./noise-level.js";
export { normalNoise, seededNoise } from "./normal.js";
export {
  type PlanOptions,
  type PlanPoint,
  planSampler,
  positionsOf,
  type SamplerParts,
  type SamplerPlan,
  type SamplerRow,
} from "./plan.js";
export { planOf } from "./plan-of.js";
export { planTable, readPlanTable } from "./plan-table.js";
export {
  isSimplexPlan,
  isTokenPlan,
  type Plan,
  samplerPlanOf,
  simplexPlanOf,
  tokenPlanOf,
} from "./plans.js";
export { plotSvg, plotText, type ScheduleCurve, scheduleCurve } from "./plot.js";
export { evenly, type PositionMap, plotMapSvg, plotMapText, positionMap } from "./plot-positions.js";
export { resolveGrids } from "./position-grid.js";
export {
  type ContinuousSchedule,
  type NoiseScheduleDescription,
  type ResolvedSchedule,
  resolveSchedule,
  schedulePositions,
} from "./resolve.js";
export { deriveKey, type Key, squares32, uniform } from "./rng.js";
export { gaussianSamplers } from "./samplers/index.js";
export { scheduleFamilies } from "./schedules/index.js";
export { type Projection, planSimplex, type SimplexPlan } from "./simplex-plan.js";
export { type TimeInputDescription, timeInput } from "./time-input.js";
