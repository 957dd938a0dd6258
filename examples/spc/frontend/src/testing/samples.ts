/** Answers of the backend, for tests. */
import type { Characteristic, Chart, ChartSet, Plan, Signal } from "../api";

export const diameter: Characteristic = { id: 1, name: "Shaft diameter", unit: "mm", target: 10, lower_limit: 9.9, upper_limit: 10.1, subgroup_size: 5 };
export const weight: Characteristic = { id: 2, name: "Fill weight", unit: "g", target: 500, lower_limit: 495, upper_limit: 505, subgroup_size: 1 };

export const xbar: Chart = {
  name: "X-bar",
  center: 10,
  lower: 9.94,
  upper: 10.06,
  sigma: 0.02,
  points: [
    { at: "2026-03-02T08:00:00Z", value: 10.004, rules: [] },
    { at: "2026-03-02T08:05:00Z", value: 9.991, rules: [] },
    { at: "2026-03-02T08:10:00Z", value: 10.083, rules: ["WE1", "WE2"] },
  ],
};
export const range: Chart = {
  name: "R",
  center: 0.1,
  lower: 0,
  upper: 0.21,
  sigma: 0.037,
  points: xbar.points.map((point) => ({ at: point.at, value: 0.09, rules: [] })),
};
export const chartSet: ChartSet = { characteristic: 1, kind: "xbar-r", computed_at: "2026-03-02T08:10:01Z", measurements: 15, charts: [xbar, range] };

export const signal: Signal = { id: 7, characteristic: 1, rule: "WE1", chart: "X-bar", at: "2026-03-02T08:10:00Z", value: 10.083, raised_at: "2026-03-02T08:10:01Z" };

export const plan: Plan = {
  computed_at: "2026-03-02T08:00:00Z",
  horizon_hours: 3,
  capacity_per_hour: 60,
  jobs: [
    { characteristic: 1, start: "2026-03-02T08:15:00Z", minutes: 15 },
    { characteristic: 2, start: "2026-03-02T08:50:00Z", minutes: 30 },
    { characteristic: 1, start: "2026-03-02T09:20:00Z", minutes: 60 },
  ],
  late: 1,
};
