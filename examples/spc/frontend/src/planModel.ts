/** Converts a plan of the API to the load of each hour. */
import type { Plan } from "./api";

export interface Hour {
  start: Date;
  /** Minutes of work in this hour. */
  minutes: number;
  /** The share of the capacity; more than 1 if the plan exceeds the capacity. */
  load: number;
}

const HOUR = 3_600_000;

/** Hours since the plan was made. A job that spans two hours counts in both, with its part in each. */
export function hoursOf(plan: Plan): Hour[] {
  const begin = Date.parse(plan.computed_at);
  return Array.from({ length: Math.ceil(plan.horizon_hours) }, (_, index) => {
    const start = begin + index * HOUR;
    const minutes = plan.jobs.reduce((sum, job) => {
      const from = Date.parse(job.start);
      const overlap = Math.min(from + job.minutes * 60_000, start + HOUR) - Math.max(from, start);
      return sum + Math.max(0, overlap) / 60_000;
    }, 0);
    return { start: new Date(start), minutes, load: plan.capacity_per_hour > 0 ? minutes / plan.capacity_per_hour : 0 };
  });
}
