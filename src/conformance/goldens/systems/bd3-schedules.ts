// BD3-LM's noise schedules with its constants (noise_schedule.py).

import type { NamedSchedules } from "./discrete-schedule.js";

export const bd3Schedules: NamedSchedules = {
  loglinear: { family: "power", exponent: 1 },
  square: { family: "power", exponent: 2, floor: 1e-3 },
  square_root: { family: "power", exponent: 0.5, floor: 1e-3 },
  log: { family: "logarithmic" },
  cosine: { family: "cosine_power", power: 1, eps: 1e-3, eps_at: "clean" },
};
