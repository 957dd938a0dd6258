/** From the API's plan to how busy each of its hours is. */
import type { Plan } from "./api";

export interface Hour {
  start: Date;
  /** Minutes of work in this hour. */
  minutes: number;
  /** Of what can be done in an hour; more than 1 where the plan asks for too much. */
  load: number;
}

const HOUR = 3_600_000;

/** Hours from the plan's making on. A job that goes over the end of one counts in both, each with its part. */
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
